// The platform's functions as they were when this module was evaluated. If a test framework, jsdom or zone.js fakes timers or replaces a global class later, writes must
// still settle. No other file of `src` uses the raw ones, or asks `instanceof` a class of the platform: a value may come from another realm, or the global may be
// another class by then.
import { performance as realPerformance } from 'node:perf_hooks'
import * as timers from 'node:timers'
import * as timersPromises from 'node:timers/promises'
import { types } from 'node:util'

// From the modules, not from the globals, which may be fakes already.
export const setTimeout: typeof timers.setTimeout = timers.setTimeout
export const clearTimeout: typeof timers.clearTimeout = timers.clearTimeout
export const setInterval: typeof timers.setInterval = timers.setInterval
export const clearInterval: typeof timers.clearInterval = timers.clearInterval
export const setImmediate: typeof timers.setImmediate = timers.setImmediate
/** The longest that a timer can wait, in ms. */
export const MAX_TIMER_MS: number = 2 ** 31 - 1
/** Resolves after so many ms; rejects when its signal aborts. */
export const sleep: typeof timersPromises.setTimeout = timersPromises.setTimeout

const now = realPerformance.now.bind(realPerformance)
/** The clock alone. */
export const performance: { readonly now: () => number } = { now }
/** Ms since the epoch. */
export const wallClockMs: () => number = Date.now

/** The class; `lib.dom` and the globals of tests may have others. */
export const AbortController: typeof globalThis.AbortController = globalThis.AbortController

const settled = Promise.resolve()
// oxlint-disable-next-line typescript/unbound-method -- called on a promise below
const { then } = settled
/** As the global of this name, which no module exports and every test framework fakes. */
export function queueMicrotask(task: () => void): void {
  void then.call(settled, task)
}

/** A promise of any realm, also where the global class was replaced. */
export const isPromise: (value: unknown) => value is Promise<unknown> = types.isPromise

/** Values of any realm, whatever they call themselves. */
export const isDate: (value: unknown) => value is Date = types.isDate
export const isMap: (value: unknown) => value is Map<unknown, unknown> = types.isMap
export const isSet: (value: unknown) => value is Set<unknown> = types.isSet
export const isAnyArrayBuffer: (value: unknown) => value is ArrayBufferLike = types.isAnyArrayBuffer

/** An AbortSignal of any implementation: Node itself takes any object that looks like one. */
export function isAbortSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null) return false
  const { aborted, addEventListener, removeEventListener } = value as Partial<AbortSignal>
  return typeof aborted === 'boolean' && typeof addEventListener === 'function' && typeof removeEventListener === 'function'
}

/** Throws the signal's reason when it has aborted; signals of other implementations may have no method for it. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw signal.reason
}

/** The text of a URL of any implementation, as `node:fs` takes it. `undefined` when the value is none. */
export function urlText(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { href, protocol } = value as Partial<URL>
  return typeof href === 'string' && typeof protocol === 'string' ? href : undefined
}
