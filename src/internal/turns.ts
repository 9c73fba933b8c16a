// When the event loop gets a turn. A wait that has been answered settles in a microtask, so a program that awaits one after another would run for seconds
// without looking at sockets, timers or signals. So everything that settles asks here: when the loop is known to have had no turn for a while, it settles in
// the loop's next turn, in order. Knows nothing of stores.
import { performance, setImmediate } from './platform.ts'

/** In ms: how long no turn may be known before one is looked for, and again before it is waited for. */
const STEP_MS = 1
/** How many may settle between two looks at the clock: a look costs as much as a twentieth of a commit. */
const MAX_STRIDE = 63
/** In ms: if more goes by between two looks, they are too rare; if less than the next, too frequent. */
const SLOW_MS = 0.5
const QUICK_MS = 0.1

/** The turns of one environment's event loop. */
export class Turns {
  readonly #now: () => number
  readonly #nextTurn: (callback: () => void) => unknown
  /** How many more settle before the next look at the clock. */
  #left = 0
  #stride = 0
  #lookedMs = 0
  #sinceMs = 0
  #isExpected = false
  #isDue = false
  #later: (() => void)[] = []

  constructor(now: () => number = performance.now, nextTurn: (callback: () => void) => unknown = setImmediate) {
    this.#now = now
    this.#nextTurn = nextTurn
  }

  /** Called when something is about to settle: whether it has to wait for the loop's next turn, by {@link later}. */
  isDue(): boolean {
    return this.#left-- > 0 ? this.#isDue : this.#look()
  }

  /** Calls `settle` in the next turn of the loop, after what waits for it already. */
  later(settle: () => void): void {
    this.#later.push(settle)
  }

  /** What an asynchronous function has to wait for before it ends, if anything. */
  pause(): Promise<undefined> | undefined {
    return this.isDue() ? new Promise((resolve) => this.later(() => resolve(undefined))) : undefined
  }

  /** A promise of a value that is known. */
  give<T>(value: T): Promise<T> {
    return this.isDue() ? new Promise((resolve) => this.later(() => resolve(value))) : Promise.resolve(value)
  }

  /** A promise that rejects with `reason`. */
  refuse(reason: unknown): Promise<never> {
    return this.isDue() ? new Promise((_, reject) => this.later(() => reject(reason))) : Promise.reject(reason)
  }

  /** Does asynchronous work that may end without a turn, above all when it fails at once. */
  async within<T>(work: () => T | PromiseLike<T>): Promise<T> {
    try {
      return await work()
    } finally {
      const pause = this.pause()
      if (pause !== undefined) await pause
    }
  }

  #look(): boolean {
    const nowMs = this.#now()
    const quietMs = nowMs - this.#lookedMs
    this.#lookedMs = nowMs
    if (quietMs > SLOW_MS) this.#stride = 0
    else if (quietMs < QUICK_MS) this.#stride = Math.min(MAX_STRIDE, this.#stride * 2 + 1)
    this.#left = this.#stride
    if (nowMs - this.#sinceMs >= STEP_MS) {
      this.#sinceMs = nowMs
      if (this.#isExpected) this.#isDue = true
      else this.#expect()
    }
    return this.#isDue
  }

  #expect(): void {
    this.#nextTurn(this.#onTurn)
    this.#isExpected = true // not before the turn is certain to come: V8 may cut this off where the stack ends
  }

  readonly #onTurn = (): void => {
    this.#isExpected = this.#isDue = false
    if (this.#later.length === 0) return
    const later = this.#later
    this.#later = []
    for (const settle of later) settle()
  }
}
