// The time limits of those who wait for locks: one timer for all of them, set for the earliest. While a caller waits, the timer keeps the process alive.
import { clearTimeout, performance, setTimeout } from '../internal/platform.ts'

/** The time limits of what one client waits for, by token. */
export class TimeLimits {
  readonly #isOver: (token: number) => void
  readonly #ends = new Map<number, number>()
  #timer: NodeJS.Timeout | undefined
  /** When the timer is due, on the clock of `performance.now()`. */
  #dueMs = Infinity

  /** `isOver` is called once for each token that has run out of time, in the order of the times. */
  constructor(isOver: (token: number) => void) {
    this.#isOver = isOver
  }

  /** `token` waits from now on, for `timeoutMs` at most. */
  add(token: number, timeoutMs: number): void {
    const endMs = performance.now() + timeoutMs
    this.#ends.set(token, endMs)
    if (endMs < this.#dueMs) this.#set(endMs, timeoutMs)
  }

  /** `token` waits no longer. A timer that is not needed would keep the process alive. */
  delete(token: number): void {
    if (this.#ends.delete(token) && this.#ends.size === 0) this.#clear()
  }

  #set(endMs: number, afterMs: number): void {
    this.#clear()
    this.#dueMs = endMs
    this.#timer = setTimeout(this.#look, Math.ceil(afterMs))
  }

  #clear(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#dueMs = Infinity
  }

  /** Reports the tokens that have run out of time, and sets the timer for the earliest of the others. Mostly the token that it was set for has been granted. */
  readonly #look = (): void => {
    this.#clear()
    const nowMs = performance.now()
    const over: [endMs: number, token: number][] = []
    let earliestMs = Infinity
    for (const [token, endMs] of this.#ends) {
      if (endMs <= nowMs) over.push([endMs, token])
      else if (endMs < earliestMs) earliestMs = endMs
    }
    if (earliestMs < Infinity) this.#set(earliestMs, earliestMs - nowMs)
    for (const [, token] of over.toSorted(([one], [other]) => one - other)) if (this.#ends.delete(token)) this.#isOver(token)
  }
}
