// Callers that wait under an AbortSignal. One listener per signal, however many wait: Node warns of a leak at the eleventh.

import { Deferred } from './deferred.ts'

type Abort = (reason: unknown) => void

interface Watched {
  readonly waiting: Set<Abort>
  readonly listener: () => void
}

/** The signals that the callers of one store wait under. A listener is removed with its last waiter. */
export class AbortWatch {
  readonly #signals = new Map<AbortSignal, Watched>()

  /**
   * Calls `abort` once, with the signal's reason, if the signal has aborted, or aborts before the returned function is called. Never within this call. A signal
   * of another implementation is the user's code: if its `addEventListener` throws, the error ends the waiting as an abort would.
   */
  add(signal: AbortSignal, abort: Abort): () => void {
    try {
      if (signal.aborted) return abortSoon(reasonOf(signal), abort)
      const watched = this.#signals.get(signal) ?? this.#watch(signal)
      const { waiting } = watched
      waiting.add(abort)
      return () => {
        if (waiting.delete(abort) && waiting.size === 0) this.#forget(signal, watched)
      }
    } catch (thrown) {
      return abortSoon(thrown, abort)
    }
  }

  /** The outcome of `promise`, or a rejection with the signal's reason if that comes first. */
  race<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
    const { promise: outcome, resolve, reject } = new Deferred<T>()
    const release = this.add(signal, reject)
    promise.finally(release).then(resolve, reject)
    return outcome
  }

  #watch(signal: AbortSignal): Watched {
    const waiting = new Set<Abort>()
    const listener = (): void => {
      this.#signals.delete(signal)
      const reason = reasonOf(signal)
      for (const abort of waiting) abort(reason)
      waiting.clear()
    }
    const watched = { waiting, listener }
    signal.addEventListener('abort', listener, { once: true })
    this.#signals.set(signal, watched)
    return watched
  }

  #forget(signal: AbortSignal, watched: Watched): void {
    if (this.#signals.get(signal) === watched) this.#signals.delete(signal)
    try {
      signal.removeEventListener('abort', watched.listener)
    } catch {
      // No caller waits under it any more: if it fires all the same, nothing happens.
    }
  }
}

function reasonOf(signal: AbortSignal): unknown {
  try {
    return signal.reason
  } catch (thrown) {
    return thrown
  }
}

/** For a signal that has aborted already: it fires no event any more. */
function abortSoon(reason: unknown, abort: Abort): () => void {
  let isWanted = true
  const tell = async (): Promise<void> => {
    await Promise.resolve()
    if (isWanted) abort(reason)
  }
  void tell()
  return () => {
    isWanted = false
  }
}
