// Writes that wait for room, or for the end of a pause, in the order of the calls. A write that is let in is applied in the async context of its call.
import { errorOf } from '../errors.ts'
import type { AbortWatch } from '../internal/abort.ts'
import { type Context, currentContext } from '../internal/context.ts'
import { Queue } from './queue.ts'
import type { Schedule } from './schedule.ts'

interface HeldWrite<W, H> {
  readonly write: W
  readonly context: Context
  readonly resolve: (handle: H) => void
  readonly reject: (reason: unknown) => void
  /** Stops the timer and the watching of the signal. */
  readonly forget: () => void
}

/** The queue of one coordinator: a `W` waits and gets an `H`. */
export class HeldWrites<W, H> {
  readonly #schedule: Schedule
  readonly #aborts: AbortWatch
  readonly #queue = new Queue<HeldWrite<W, H>>()

  constructor(schedule: Schedule, aborts: AbortWatch) {
    this.#schedule = schedule
    this.#aborts = aborts
  }

  get size(): number {
    return this.#queue.size
  }

  /** Waits until it is let in, for `timeoutMs` at most if that is given, or until the signal aborts. */
  hold(write: W, timeoutMs: number | undefined, signal: AbortSignal | undefined): Promise<H> {
    return new Promise((resolve, reject) => {
      const sinceMs = this.#schedule.now()
      const giveUp = (reason: unknown): void => {
        this.#queue.remove(place)
        forget()
        reject(reason)
      }
      const unwatch = signal === undefined ? undefined : this.#aborts.add(signal, giveUp)
      const cancel =
        timeoutMs === undefined ? undefined : this.#schedule.after(timeoutMs, () => giveUp(timedOut('the write was not let in in time', this.#schedule.now() - sinceMs)))
      const forget = (): void => {
        cancel?.()
        unwatch?.()
      }
      const place = this.#queue.push({ write, context: currentContext(), resolve, reject, forget })
    })
  }

  /** Lets in the first one. */
  admit(apply: (write: W) => H): void {
    const held = this.#queue.shift()
    if (held === undefined) return
    held.forget() // from this moment on, time-out and signal are too late
    try {
      held.resolve(held.context(() => apply(held.write)))
    } catch (error) {
      held.reject(error)
    }
  }

  /** Rejects all of them. */
  refuse(reason: unknown): void {
    for (let held = this.#queue.shift(); held !== undefined; held = this.#queue.shift()) {
      held.forget()
      held.reject(reason)
    }
  }
}

/** `ERR_TIMEOUT` */
export function timedOut(what: string, afterMs: number): Error {
  const waitedMs = Math.round(afterMs)
  return errorOf('ERR_TIMEOUT', `${what}: waitedMs=${waitedMs}`, { waitedMs })
}
