// The queue before the gate: writes that wait, in the order of their calls, until the store has room again or its pause has ended.
import { Deferred } from '../internal/deferred.ts'
import { hasCode } from '../errors.ts'
import type { AbortWatch } from '../internal/abort.ts'

interface Waiting {
  readonly owner: object
  /** False when a pause came in between: it is still to be run. */
  readonly run: () => boolean
  readonly reject: (reason: unknown) => void
}

/** Writes of one store that are held back. */
export class Admission {
  readonly #waiting = new Set<Waiting>()

  get isEmpty(): boolean {
    return this.#waiting.size === 0
  }

  /** Holds `attempt` back. It runs within {@link admit}; the promise has its outcome. A signal that aborts before takes it out. */
  hold<T>(owner: object, attempt: () => T, signal: AbortSignal | undefined, aborts: AbortWatch): Promise<T> {
    const { promise, resolve, reject } = new Deferred<T>()
    const release = signal === undefined ? undefined : aborts.add(signal, (reason) => {
      this.#waiting.delete(waiting)
      reject(reason)
    })
    const waiting: Waiting = {
      owner,
      run: () => {
        try {
          resolve(attempt())
        } catch (error) {
          if (hasCode(error, 'ERR_PAUSED')) return false
          reject(error)
        }
        release?.()
        return true
      },
      reject: (reason) => {
        release?.()
        reject(reason)
      },
    }
    this.#waiting.add(waiting)
    return promise
  }

  /** Lets them in, first come first served, while there is room. */
  admit(hasRoom: () => boolean): void {
    for (const waiting of this.#waiting) {
      if (!hasRoom()) return
      this.#waiting.delete(waiting)
      if (waiting.run()) continue
      const behind = [...this.#waiting]
      this.#waiting.clear()
      for (const each of [waiting, ...behind]) this.#waiting.add(each)
      return
    }
  }

  /** They will not be let in: all of them, or those of one owner. */
  refuse(reason: () => unknown, owner?: object): void {
    for (const waiting of this.#waiting) {
      if (owner !== undefined && waiting.owner !== owner) continue
      this.#waiting.delete(waiting)
      waiting.reject(reason())
    }
  }
}
