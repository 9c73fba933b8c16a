// The queue before the gate: writes that wait, in the order of their calls, until the store has room again or its pause has ended. Each runs in the async
// context of its call. From the moment it runs, it cannot be taken back.
import type { AbortWatch } from '../../internal/abort.ts'
import { type Context, currentContext } from '../../internal/context.ts'
import { Deferred } from '../../internal/deferred.ts'

/** The outcome of a write that a pause kept out: it has written nothing, and has to run again. */
export const PAUSED: unique symbol = Symbol('paused')

/** Waiting writes of one store. */
export class Admission {
  readonly #waiting = new Set<HeldWrite<unknown>>()
  /** How many have been let in. */
  admitted = 0

  get isEmpty(): boolean {
    return this.#waiting.size === 0
  }

  /** Makes `attempt` wait. It runs within {@link admit}; the promise has its outcome. A signal that aborts earlier takes it out of the queue. */
  hold<T>(owner: object, attempt: () => T | typeof PAUSED, signal: AbortSignal | undefined, aborts: AbortWatch): Promise<T> {
    const waiting = new HeldWrite(owner, attempt, signal, aborts, (given) => this.#waiting.delete(given as HeldWrite<unknown>))
    this.#waiting.add(waiting as HeldWrite<unknown>)
    return waiting.promise
  }

  /** Lets writes in, first come first served, while there is room. */
  admit(hasRoom: () => boolean): void {
    for (const waiting of this.#waiting) {
      if (!hasRoom()) return
      this.#waiting.delete(waiting)
      if (waiting.run()) {
        this.admitted++
        continue
      }
      const behind = [...this.#waiting]
      this.#waiting.clear()
      for (const each of [waiting, ...behind]) if (!each.isOver) this.#waiting.add(each)
      return
    }
  }

  /** Rejects all of them, or those of one owner. */
  refuse(reason: () => unknown, owner?: object): void {
    for (const waiting of this.#waiting) {
      if (owner !== undefined && waiting.owner !== owner) continue
      this.#waiting.delete(waiting)
      waiting.reject(reason())
    }
  }
}

/** A write that waits. */
class HeldWrite<T> {
  readonly owner: object
  readonly #attempt: () => T | typeof PAUSED
  readonly #context: Context = currentContext()
  readonly #watch: () => (() => void) | undefined
  readonly #outcome = new Deferred<T>()
  #unwatch: (() => void) | undefined
  #isOver = false

  constructor(owner: object, attempt: () => T | typeof PAUSED, signal: AbortSignal | undefined, aborts: AbortWatch, forget: (given: HeldWrite<T>) => void) {
    this.owner = owner
    this.#attempt = attempt
    this.#watch = () =>
      signal === undefined
        ? undefined
        : aborts.add(signal, (reason) => {
            forget(this)
            this.reject(reason)
          })
    this.#unwatch = this.#watch()
  }

  get promise(): Promise<T> {
    return this.#outcome.promise
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** False when a pause came in between: it has to run again. */
  run(): boolean {
    // From this moment on it is too late to abort, also for the write itself.
    this.#unwatch?.()
    this.#unwatch = undefined
    try {
      const outcome = this.#context(this.#attempt)
      if (outcome === PAUSED) {
        this.#unwatch = this.#watch()
        return false
      }
      this.#isOver = true
      this.#outcome.resolve(outcome)
    } catch (error) {
      this.reject(error)
    }
    return true
  }

  reject(reason: unknown): void {
    this.#isOver = true
    this.#unwatch?.()
    this.#unwatch = undefined
    this.#outcome.reject(reason)
  }
}
