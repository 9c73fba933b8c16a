// Following the views: the current one, then the newest whenever it has changed. A subscriber holds nothing between two steps: a waiting one is woken, and
// views that it has not taken in time are skipped.
import type { AbortWatch } from '../internal/abort.ts'
import { throwIfAborted } from '../internal/platform.ts'
import { Steps } from '../internal/steps.ts'
import type { Turns } from '../internal/turns.ts'

/** Counts changes and wakes those that wait for the next. */
export class Changes {
  readonly #waiting = new Set<() => void>()
  /** A different number after each change. */
  version = 0
  /** There will be no more changes. */
  isOver = false

  changed(): void {
    this.version++
    if (this.#waiting.size > 0) this.#wake()
  }

  end(): void {
    this.isOver = true
    this.#wake()
  }

  /** Calls `wake` once, at the next change or end, unless the returned function is called before. */
  next(wake: () => void): () => void {
    this.#waiting.add(wake)
    return () => void this.#waiting.delete(wake)
  }

  #wake(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }
}

/** What a subscription follows. */
export interface Followed<V> {
  readonly changes: Changes
  readonly turns: Turns
  readonly aborts: AbortWatch
  readonly failure: Error | undefined
  view(): V
}

/** One iteration. Steps that are requested at once are taken one after another. */
export class Subscription<V> implements AsyncIterableIterator<V> {
  readonly #followed: Followed<V>
  readonly #signal: AbortSignal | undefined
  #seen = -1
  #isDone = false
  readonly #steps = new Steps()
  /** Ends the running wait. */
  #endWaiting: (() => void) | undefined

  constructor(followed: Followed<V>, signal: AbortSignal | undefined) {
    this.#followed = followed
    this.#signal = signal
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<V, undefined>> {
    return this.#steps.take(() => this.#step())
  }

  async return(): Promise<IteratorResult<V, undefined>> {
    this.#finish()
    return { value: undefined, done: true }
  }

  async #step(): Promise<IteratorResult<V, undefined>> {
    const { changes, turns } = this.#followed
    const pause = turns.pause()
    if (pause !== undefined) await pause
    try {
      while (!this.#isDone) {
        throwIfAborted(this.#signal)
        if (this.#seen !== changes.version) {
          this.#seen = changes.version
          return { value: this.#followed.view(), done: false }
        }
        if (changes.isOver) this.#end()
        else await this.#wait()
      }
      return { value: undefined, done: true }
    } catch (error) {
      this.#finish()
      throw error
    }
  }

  #end(): void {
    const { failure } = this.#followed
    if (failure !== undefined) throw failure
    this.#isDone = true
  }

  #wait(): Promise<void> {
    const { changes, aborts } = this.#followed
    return new Promise((resolve) => {
      const end = (): void => {
        this.#endWaiting = undefined
        forgetChange()
        forgetSignal?.()
        resolve()
      }
      const forgetChange = changes.next(end)
      const forgetSignal = this.#signal === undefined ? undefined : aborts.add(this.#signal, end)
      this.#endWaiting = end
    })
  }

  #finish(): void {
    this.#isDone = true
    this.#endWaiting?.()
  }
}
