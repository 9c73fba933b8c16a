// Pauses, counted. A pause keeps writes and flushes out from the call on, and resolves when the running flush has ended. A call that fails leaves no pause.
import { closed } from '../errors.ts'
import type { AbortWatch } from '../internal/abort.ts'
import { Deferred } from '../internal/deferred.ts'
import { Lease } from '../internal/lease.ts'
import type { Pause } from './coordinator-types.ts'
import { timedOut } from './held-writes.ts'
import type { Schedule } from './schedule.ts'

/** The pauses of one coordinator. */
export class Pauses {
  readonly #schedule: Schedule
  readonly #aborts: AbortWatch
  readonly #resume: () => void
  readonly #held = new Set<Lease>()
  readonly #waiting = new Set<Deferred<void>>()
  #count = 0

  /** `resume` is called when the last pause has ended. */
  constructor(schedule: Schedule, aborts: AbortWatch, resume: () => void) {
    this.#schedule = schedule
    this.#aborts = aborts
    this.#resume = resume
  }

  get isPaused(): boolean {
    return this.#held.size > 0
  }

  /** Begins a pause; resolves when no flush runs. */
  async begin(isIdle: boolean, timeoutMs: number, signal: AbortSignal | undefined): Promise<Pause> {
    const pause = new HeldPause(this.#held, ++this.#count, this.#released)
    try {
      if (!isIdle) await this.#idle(timeoutMs, signal)
      return pause
    } catch (error) {
      pause.release()
      throw error
    }
  }

  /** No flush runs, and none will begin while {@link isPaused}. */
  isIdle(): void {
    for (const waiting of this.#waiting) waiting.resolve()
    this.#waiting.clear()
  }

  /** Ends all pauses; those that are not yet held reject with `reason`, by default `ERR_CLOSED`. */
  end(reason: unknown = closed('coordinator')): void {
    for (const waiting of this.#waiting) waiting.reject(reason)
    this.#waiting.clear()
    for (const lease of this.#held) lease.settle()
  }

  async #idle(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const waiting = new Deferred<void>()
    const sinceMs = this.#schedule.now()
    const unwatch = signal === undefined ? undefined : this.#aborts.add(signal, waiting.reject)
    const cancel = this.#schedule.after(timeoutMs, () => waiting.reject(timedOut('the coordinator was not paused in time', this.#schedule.now() - sinceMs)))
    this.#waiting.add(waiting)
    try {
      await waiting.promise
    } finally {
      this.#waiting.delete(waiting)
      cancel()
      unwatch?.()
    }
  }

  readonly #released = (): void => {
    if (!this.isPaused) this.#resume()
  }
}

class HeldPause implements Pause {
  readonly #lease: Lease

  constructor(held: Set<Lease>, number: number, released: () => void) {
    this.#lease = new Lease('pause', number, this, held, released)
  }

  release(): void {
    this.#lease.close()
  }

  [Symbol.dispose](): void {
    this.release()
  }
}
