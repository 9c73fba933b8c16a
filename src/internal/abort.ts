// Who waits under which AbortSignal. One listener per signal, however many wait: Node warns of a leak at the eleventh.

import { Deferred } from './deferred.ts'

type Abort = (reason: unknown) => void

interface Watched {
  readonly waiting: Set<Abort>
  readonly listener: () => void
}

/** The signals that one store's callers wait under. A listener is removed with its last waiter. */
export class AbortWatch {
  readonly #signals = new Map<AbortSignal, Watched>()

  /**
   * Calls `abort` once, with the signal's reason, if the signal has aborted, or aborts, before the returned function is called. Never within this call.
   * Signals of other makes are the user's code: what one throws when it is listened to ends the waiting as its reason would.
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
      // Nobody waits under it any more: should it still call, nobody is told.
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

/** A signal that has aborted tells nobody any more. */
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
