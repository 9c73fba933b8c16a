// Time as the coordinator sees it: a clock, timers and turns of the event loop, so that tests can script them.
import { clearTimeout, performance, setImmediate, setTimeout } from '../internal/platform.ts'

/** A clock and what is called by it. */
export interface Schedule {
  /** In ms, from any origin; never goes back. */
  readonly now: () => number
  /** Calls `fn` once, `ms` from now, unless the returned function is called before. */
  after(ms: number, fn: () => void): () => void
  /** Calls `fn` in the next turn of the event loop. */
  readonly nextTurn: (fn: () => void) => void
}

/** The real one. Whoever waits for it keeps the process alive: what was written is not forgotten because nobody awaits it. */
export const realSchedule: Schedule = {
  now: performance.now,
  after(ms, fn) {
    const timer = setTimeout(fn, ms)
    return () => clearTimeout(timer)
  },
  nextTurn: setImmediate,
}
