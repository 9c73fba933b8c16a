// Runs calls one after another, in order. A flusher may serve a second coordinator while a given-up call of the first still runs.

/** The calls of one flusher. */
export class OneAtATime {
  #last: Promise<unknown> = Promise.resolve()

  /** Calls `fn` when all earlier calls have ended, successfully or not. */
  run<R>(fn: () => Promise<R>): Promise<R> {
    const outcome = this.#last.then(fn)
    this.#last = outcome.catch(() => {})
    return outcome
  }
}
