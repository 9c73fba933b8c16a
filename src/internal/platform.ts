// The platform's functions as they were when this module was evaluated: who fakes timers or replaces a global class later (test frameworks, jsdom,
// zones) must not stop a write from settling. Nothing else in `src` uses the raw ones, nor asks `instanceof` a class of the platform: a value may come
// from another realm, or the global be another class by now.
import { performance as realPerformance } from 'node:perf_hooks'
import * as timers from 'node:timers'
import * as timersPromises from 'node:timers/promises'
import { types } from 'node:util'

// From the modules, not from the globals: those may be fakes already.
export const setTimeout: typeof timers.setTimeout = timers.setTimeout
export const clearTimeout: typeof timers.clearTimeout = timers.clearTimeout
export const setInterval: typeof timers.setInterval = timers.setInterval
export const clearInterval: typeof timers.clearInterval = timers.clearInterval
export const setImmediate: typeof timers.setImmediate = timers.setImmediate
/** Resolves after so many ms; rejects when its signal aborts. */
export const sleep: typeof timersPromises.setTimeout = timersPromises.setTimeout

const now = realPerformance.now.bind(realPerformance)
/** Its clock alone. */
export const performance: { readonly now: () => number } = { now }
/** Ms since the epoch. */
export const wallClockMs: () => number = Date.now

/** The class; `lib.dom` and tests' globals may have others. */
export const AbortController: typeof globalThis.AbortController = globalThis.AbortController

const settled = Promise.resolve()
// oxlint-disable-next-line typescript/unbound-method -- called on a promise below
const { then } = settled
/** As the global of this name, which no module exports and every framework fakes. */
export function queueMicrotask(task: () => void): void {
  void then.call(settled, task)
}

/** A promise of any realm, and of this one whatever the global class is. */
export const isPromise: (value: unknown) => value is Promise<unknown> = types.isPromise

/** Values of any realm, whatever they call themselves. */
export const isDate: (value: unknown) => value is Date = types.isDate
export const isMap: (value: unknown) => value is Map<unknown, unknown> = types.isMap
export const isSet: (value: unknown) => value is Set<unknown> = types.isSet
export const isAnyArrayBuffer: (value: unknown) => value is ArrayBufferLike = types.isAnyArrayBuffer

/** An AbortSignal of any make: Node itself takes whatever looks like one. */
export function isAbortSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null) return false
  const { aborted, addEventListener, removeEventListener } = value as Partial<AbortSignal>
  return typeof aborted === 'boolean' && typeof addEventListener === 'function' && typeof removeEventListener === 'function'
}

/** Throws the signal's reason when it has aborted; signals of other makes may have no method for it. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw signal.reason
}

/** A URL of any make, as `node:fs` takes it: its text. `undefined` when it is none. */
export function urlText(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { href, protocol } = value as Partial<URL>
  return typeof href === 'string' && typeof protocol === 'string' ? href : undefined
}
