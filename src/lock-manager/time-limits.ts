// When those who wait for locks are to wait no longer: one timer for all of them, set for the earliest. As long as somebody waits, the process does too.
import { clearTimeout, performance, setTimeout } from '../internal/platform.ts'

/** The time limits of what one client waits for, by token. */
export class TimeLimits {
  readonly #isOver: (token: number) => void
  readonly #ends = new Map<number, number>()
  #timer: NodeJS.Timeout | undefined
  /** When the timer is due, on the clock of `performance.now()`. */
  #dueMs = Infinity

  /** `isOver` is called once for each token whose time is over, in the order of the times. */
  constructor(isOver: (token: number) => void) {
    this.#isOver = isOver
  }

  /** `token` is waited for from now on, for so long. */
  add(token: number, timeoutMs: number): void {
    const endMs = performance.now() + timeoutMs
    this.#ends.set(token, endMs)
    if (endMs < this.#dueMs) this.#set(endMs, timeoutMs)
  }

  /** It is waited for no longer. A timer that nobody needs would keep alive whoever waited. */
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

  /** Whose time is over is told; the timer is set for the earliest of the others. Whom it was set for has been granted most of the time. */
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
