// Calls of the flusher: one at a time, in the coordinator's own async context, repeated when the error allows it, and given up when the coordinator fails.
import { type Context, OngoingCall } from '../internal/context.ts'
import { AbortController } from '../internal/platform.ts'
import { delayMs } from '../retry.ts'
import type { CoordinatorTypes, Flusher } from './coordinator-types.ts'
import type { FrozenDelta } from './layers.ts'
import type { Schedule } from './schedule.ts'

/** How calls that fail are repeated. */
export interface RetryPlan {
  readonly attempts: number
  readonly minDelayMs: number
  readonly maxDelayMs: number
}

/** The calls of one flusher. */
export class FlusherCalls<T extends CoordinatorTypes> {
  readonly #flusher: Flusher<T>
  readonly #retry: RetryPlan
  readonly #schedule: Schedule
  readonly #context: Context
  #controller: AbortController | undefined
  #endDelay: ((reason: unknown) => void) | undefined
  #givenUp: { readonly reason: unknown } | undefined

  constructor(flusher: Flusher<T>, retry: RetryPlan, schedule: Schedule, context: Context) {
    this.#flusher = flusher
    this.#retry = retry
    this.#schedule = schedule
    this.#context = context
  }

  /** Whether the running code is inside a call of the flusher, or of something that it awaits. */
  get isInside(): boolean {
    return OngoingCall.isInside(this)
  }

  flushDelta({ frozen, epochs }: FrozenDelta<T>): Promise<T['Snapshot']> {
    return this.#call((signal) => this.#flusher.flushDelta(frozen, epochs, { signal }))
  }

  flushStorage(): Promise<void> {
    return this.#call((signal) => this.#flusher.flushStorage({ signal }))
  }

  /** Aborts the running call's signal; the call is not repeated. */
  abort(reason: unknown): void {
    this.#givenUp = { reason }
    this.#endDelay?.(reason)
    this.#controller?.abort(reason)
  }

  async #call<R>(fn: (signal: AbortSignal) => Promise<R>): Promise<R> {
    const { attempts, minDelayMs, maxDelayMs } = this.#retry
    for (let attempt = 1; ; attempt++) {
      if (this.#givenUp !== undefined) throw this.#givenUp.reason // by what ran between the end of a delay and here
      // A new signal for each call: its listeners go with it.
      const controller = new AbortController()
      this.#controller = controller
      try {
        return await this.#inside(() => fn(controller.signal))
      } catch (error) {
        if (attempt >= attempts || !isRetryable(error) || this.#hasGivenUp()) throw error
      } finally {
        this.#controller = undefined
      }
      await this.#delay(delayMs(attempt, minDelayMs, maxDelayMs))
    }
  }

  /** Asked after looking at the user's error, which may have given up everything. */
  #hasGivenUp(): boolean {
    return this.#givenUp !== undefined
  }

  #inside<R>(fn: () => Promise<R>): Promise<R> {
    return this.#context(async () => {
      const call = new OngoingCall(this)
      try {
        return await call.run(fn)
      } finally {
        call.end()
      }
    })
  }

  #delay(ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#schedule.after(ms, () => {
        this.#endDelay = undefined
        resolve()
      })
      this.#endDelay = (reason) => {
        this.#endDelay = undefined
        cancel()
        reject(reason)
      }
    })
  }
}

/** The error is the user's, and reading it may run any code. */
function isRetryable(error: unknown): boolean {
  try {
    return (error as { retryable?: unknown } | null | undefined)?.retryable === true
  } catch {
    return false
  }
}
