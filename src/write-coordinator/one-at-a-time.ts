// Calls one after another, in order. A flusher may serve a second coordinator while a call of the first, which was given up, still runs.

/** The calls of one flusher. */
export class OneAtATime {
  #last: Promise<unknown> = Promise.resolve()

  /** Calls `fn` when all before have ended, whatever came of them. */
  run<R>(fn: () => Promise<R>): Promise<R> {
    const outcome = this.#last.then(fn)
    this.#last = outcome.catch(() => {})
    return outcome
  }
}
