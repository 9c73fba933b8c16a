// The end of waiting for room. Whoever waits is refused when nothing has come forward for a while: a queue that moves is never cut off, however
// long it is, and one that stands still has an end. One timer, only while somebody waits; it keeps no process alive.
import { setTimeout } from '../../internal/platform.ts'

/** Without any progress for so long, writes that wait for the flusher are refused; `PATIENCE` in Rust. */
const STALL_MS = 30_000
/** The same where they wait for readers to let go, in another thread or in their own. */
const READERS_STALL_MS = 5_000

/** What is looked at, and who is told. */
export interface Waiting {
  /** Whether somebody waits whom only progress helps. */
  readonly isStalled: boolean
  /** Whether they wait for open snapshots and iterations. */
  readonly isForReaders: boolean
  /** Anything that changes as soon as anybody has come forward. */
  readonly progress: number
  /** Looks for progress that nobody has told of. */
  look(): void
  refuse(): void
}

/** How time passes; replaced in tests. */
export type After = (work: () => void, ms: number) => { unref(): unknown }

/** Watches over one queue. */
export class Stall {
  readonly #waiting: Waiting
  readonly #after: After
  #isWatching = false

  constructor(waiting: Waiting, after: After = setTimeout) {
    this.#waiting = waiting
    this.#after = after
  }

  /** Somebody waits: they are refused if nothing moves from now on. */
  watch(): void {
    if (this.#isWatching) return
    const { progress, isForReaders } = this.#waiting
    this.#after(() => this.#look(progress), isForReaders ? READERS_STALL_MS : STALL_MS).unref()
    this.#isWatching = true // not before it is certain that somebody looks: V8 may cut this off where the stack ends
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
