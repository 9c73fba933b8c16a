// The steps of an asynchronous iteration: steps that are requested at once are taken one after another.

/** The steps of one iteration. */
export class Steps {
  #last: Promise<unknown> | undefined

  /** Takes `step` after those that are under way. */
  take<T>(step: () => Promise<T>): Promise<T> {
    const taken = this.#last === undefined ? step() : this.#last.then(step)
    const forget = (): void => {
      if (this.#last === settled) this.#last = undefined
    }
    const settled: Promise<void> = taken.then(forget, forget)
    this.#last = settled
    return taken
  }
}
