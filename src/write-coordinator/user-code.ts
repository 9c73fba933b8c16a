// The delta's own functions run in the middle of the coordinator's. While one does, calls that would change what it stands on are refused. V8 may cut it
// off without `finally` (a time-out of `vm`, the end of the stack); nobody knows then what it has left, so a microtask looks whether one is still inside.
import { errorOf } from '../errors.ts'
import { queueMicrotask } from '../internal/platform.ts'

/** The functions of a delta that are called synchronously. */
export type DeltaFunction = 'apply' | 'estimateSize' | 'freeze' | 'init' | 'reader'

/** Which of the user's functions is running. */
export class UserCode {
  readonly #cutOff: (what: DeltaFunction) => void
  #inside: DeltaFunction | undefined
  #isWatched = false

  /** `cutOff` is told of a function that never came to its end. */
  constructor(cutOff: (what: DeltaFunction) => void) {
    this.#cutOff = cutOff
  }

  /** One begins; {@link leave} is its end. */
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
