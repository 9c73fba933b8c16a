// Knows which function of the user's delta is running. While one runs, calls that would change the coordinator under it are refused. V8 may cut a function off without
// `finally` (a time-out of `vm`, the end of the stack), and then the state of the delta is unknown: so a microtask looks whether one is still inside.
import { errorOf } from '../errors.ts'
import { queueMicrotask } from '../internal/platform.ts'

/** The functions of a delta that are called synchronously. */
export type DeltaFunction = 'apply' | 'estimateSize' | 'freeze' | 'init' | 'reader'

/** The user's function that is running. */
export class UserCode {
  readonly #cutOff: (what: DeltaFunction) => void
  #inside: DeltaFunction | undefined
  #isWatched = false

  /** `cutOff` is called with a function that never came to its end. */
  constructor(cutOff: (what: DeltaFunction) => void) {
    this.#cutOff = cutOff
  }

  /** A function begins; {@link leave} ends it. */
  enter(what: DeltaFunction): void {
    if (!this.#isWatched) {
      queueMicrotask(this.#look)
      this.#isWatched = true
    }
    this.#inside = what
  }

  leave(): void {
    this.#inside = undefined
  }

  /** @throws `ERR_TRANSACTION_OPEN` inside one of them */
  refuse(): void {
    if (this.#inside !== undefined) throw errorOf('ERR_TRANSACTION_OPEN', `the coordinator is called from inside the delta's \`${this.#inside}\``)
  }

  readonly #look = (): void => {
    this.#isWatched = false
    const inside = this.#inside
    if (inside === undefined) return
    this.#inside = undefined
    this.#cutOff(inside)
  }
}
