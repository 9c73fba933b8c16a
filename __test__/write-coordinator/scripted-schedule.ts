// Time by script: nothing happens until the test says so.
import type { Schedule } from '../../src/write-coordinator/schedule.ts'

interface Timer {
  readonly dueMs: number
  readonly fn: () => void
}

/** A clock that stands still, timers, and turns of an event loop that does not turn by itself. */
export class ScriptedSchedule implements Schedule {
  #nowMs = 1
  readonly #timers = new Set<Timer>()
  #turns: (() => void)[] = []

  readonly now = (): number => this.#nowMs

  after(ms: number, fn: () => void): () => void {
    const timer = { dueMs: this.#nowMs + ms, fn }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  readonly nextTurn = (fn: () => void): void => void this.#turns.push(fn)

  get timers(): number {
    return this.#timers.size
  }

  get awaitsTurn(): boolean {
    return this.#turns.length > 0
  }

  /** Lets time pass; timers that are due are called in their order, each at its time. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms
    for (;;) {
      const [next] = [...this.#timers].filter(({ dueMs }) => dueMs <= untilMs).toSorted((a, b) => a.dueMs - b.dueMs)
      if (next === undefined) break
      this.#timers.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      next.fn()
    }
    this.#nowMs = untilMs
  }

  /** One turn of the loop. */
  turn(): void {
    const turns = this.#turns
    this.#turns = []
    for (const fn of turns) fn()
  }

  /** Until nothing is left that does not wait for time or for somebody else. */
  async settle(): Promise<void> {
    do {
      this.turn()
      for (let n = 0; n < 24; n++) await Promise.resolve()
    } while (this.awaitsTurn)
  }
}
