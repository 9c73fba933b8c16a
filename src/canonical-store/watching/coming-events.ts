// An event that is applied, that a follower waits for, and nobody else may: the event loop waits for it, and it is asked for soon. Followers by
// themselves hold no event loop: what nobody has appended may never come.
import { clearTimeout, setTimeout } from '../../internal/platform.ts'

/** Such an event is made durable after so long, in ms. */
const SOON_MS = 1000

/** One timer, only while such an event is on its way. */
export class ComingEvents {
  readonly #isAwaited: () => boolean
  readonly #ask: () => void
  #timer: NodeJS.Timeout | undefined

  /** `isAwaited`: whether there is such an event. `ask` has what is applied made durable. */
  constructor(isAwaited: () => boolean, ask: () => void) {
    this.#isAwaited = isAwaited
    this.#ask = ask
  }

  /** Somebody has begun to wait, or has ended; an event was applied, or has come to a level. */
  look(): void {
    if (this.#isAwaited()) {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined
        this.#ask()
      }, SOON_MS)
    } else if (this.#timer !== undefined) {
      clearTimeout(this.#timer)
      this.#timer = undefined
    }
  }
}
