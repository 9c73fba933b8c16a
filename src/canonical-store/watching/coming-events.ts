// Applied events that a follower waits for, and perhaps no other caller: the event loop stays alive for them, and they are made durable soon. Otherwise a waiting
// follower does not keep the event loop alive, because an event that no code appends never comes.
import { clearTimeout, setTimeout } from '../../internal/platform.ts'

/** In ms: after this time such an event is made durable. */
const SOON_MS = 1000

/** One timer, only while such an event is on its way. */
export class ComingEvents {
  readonly #isAwaited: () => boolean
  readonly #ask: () => void
  #timer: NodeJS.Timeout | undefined

  /** `isAwaited`: whether there is such an event. `ask` makes everything that is applied durable. */
  constructor(isAwaited: () => boolean, ask: () => void) {
    this.#isAwaited = isAwaited
    this.#ask = ask
  }

  /** Called when a follower begins or ends waiting, or an event is applied or reaches a level. */
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
