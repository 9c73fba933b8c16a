// A pause of ingestion as its users see it: interfaces only.
import type { SignalOptions } from './commit.ts'

/** How to pause. */
export interface PauseOptions extends SignalOptions {
  /** How long to wait for open transactions and for the device, in ms. @default 30000 */
  timeoutMs?: number | undefined
}

/** A pause of ingestion, until it is released. */
export interface Pause extends Disposable {
  /**
   * Lets writers in again, unless there are other pauses. The second call does nothing.
   *
   * @example
   * ```ts
   * const pause = await store.pauseIngestion()
   * try {
   *   console.log('every write waits, and all that was applied is on the device')
   * } finally {
   *   pause.release()
   * }
   * ```
   */
  release(): void
}
