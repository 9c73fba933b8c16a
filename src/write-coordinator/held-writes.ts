// Writes that wait for room, or for the end of a pause, in the order of the calls. One that is let in is applied in the async context of its own call.
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
  /** No time and no signal ends its waiting any more. */
  readonly forget: () => void
}

/** The queue of one coordinator: `W` waits, and gets `H`. */
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

  /** Waits at most `timeoutMs`, if that is given, and until the signal aborts. */
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

  /** Lets the first one in. */
  admit(apply: (write: W) => H): void {
    const held = this.#queue.shift()
    if (held === undefined) return
    held.forget() // this is the moment that decides
    try {
      held.resolve(held.context(() => apply(held.write)))
    } catch (error) {
      held.reject(error)
    }
  }

  /** None will be let in. */
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
