// Time for the coordinator: a clock, timers and turns of the event loop, so that tests can script them.
import { clearTimeout, performance, setImmediate, setTimeout } from '../internal/platform.ts'

/** A clock, and calls by it. */
export interface Schedule {
  /** In ms, from any origin; never goes back. */
  readonly now: () => number
  /** Calls `fn` once, `ms` from now, unless the returned function is called before. */
  after(ms: number, fn: () => void): () => void
  /** Calls `fn` in the next turn of the event loop. */
  readonly nextTurn: (fn: () => void) => void
}

/** The real one. Its timers and turns keep the process alive, so that writes are flushed even if no caller awaits them. */
export const realSchedule: Schedule = {
  now: performance.now,
  after(ms, fn) {
    const timer = setTimeout(fn, ms)
    return () => clearTimeout(timer)
  },
  nextTurn: setImmediate,
}
