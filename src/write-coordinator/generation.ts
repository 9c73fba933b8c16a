// What is known about a delta besides its content: its epochs, and the callers that wait for them. Outlives the delta in the handles of its writes.
import { Deferred } from '../internal/deferred.ts'
import type { EpochRange } from './coordinator-types.ts'

/** The epochs of one delta. */
export class Generation implements EpochRange {
  readonly start: number
  /** Exclusive; grows until the delta is frozen. */
  end: number
  #written: Deferred<void> | undefined
  #durable: Deferred<void> | undefined

  constructor(start: number) {
    this.start = start
    this.end = start
  }

  get isEmpty(): boolean {
    return this.end === this.start
  }

  get last(): number {
    return this.end - 1
  }

  /** Whether a caller waits for it to be durable. */
  get mustBeDurable(): boolean {
    return this.#durable !== undefined
  }

  /** Resolves when it is written. All waiters share one promise. */
  written(): Promise<void> {
    return (this.#written ??= awaited()).promise
  }

  /** Resolves when it is durable. All waiters share one promise. */
  durable(): Promise<void> {
    return (this.#durable ??= awaited()).promise
  }

  isWritten(): void {
    this.#written?.resolve()
  }

  isDurable(): void {
    this.#durable?.resolve()
  }

  fail(reason: unknown): void {
    this.#written?.reject(reason)
    this.#durable?.reject(reason)
  }
}

/** A promise whose rejection is not unhandled when no caller waits for it. */
function awaited(): Deferred<void> {
  const deferred = new Deferred<void>()
  deferred.promise.catch(() => {})
  return deferred
}
