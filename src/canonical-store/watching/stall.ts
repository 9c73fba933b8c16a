// The end of waiting for room. Waiting writes are refused when there has been no progress for a while: a queue that moves is never cut off, however long it is,
// and one that stands still has an end. One timer, only while a write waits; it keeps no process alive.
import { setTimeout } from '../../internal/platform.ts'

/** In ms: after this time without progress, writes that wait for the flusher are refused; `PATIENCE` in Rust. */
const STALL_MS = 30_000
/** In ms: the same if they wait for readers of any thread, also of this one. */
const READERS_STALL_MS = 5_000

/** The queue that is watched. */
export interface Waiting {
  /** Whether a write waits that only progress helps. */
  readonly isStalled: boolean
  /** Whether writes wait for open snapshots and iterations. */
  readonly isForReaders: boolean
  /** Changes whenever a write has made progress. */
  readonly progress: number
  /** Looks for progress that was not reported. */
  look(): void
  refuse(): void
}

/** Time; replaced in tests. */
export type After = (work: () => void, ms: number) => { unref(): unknown }

/** Watches one queue. */
export class Stall {
  readonly #waiting: Waiting
  readonly #after: After
  #isWatching = false

  constructor(waiting: Waiting, after: After = setTimeout) {
    this.#waiting = waiting
    this.#after = after
  }

  /** A write waits: it is refused if nothing moves from now on. */
  watch(): void {
    if (this.#isWatching) return
    const { progress, isForReaders } = this.#waiting
    this.#after(() => this.#look(progress), isForReaders ? READERS_STALL_MS : STALL_MS).unref()
    this.#isWatching = true // not before the look is certain: V8 may cut this off where the stack ends
  }

  #look(before: number): void {
    this.#isWatching = false
    const waiting = this.#waiting
    waiting.look()
    if (!waiting.isStalled) return
    if (waiting.progress === before) waiting.refuse()
    else this.watch()
  }
}
