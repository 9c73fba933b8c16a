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

  /** Calls `abort` once, with the signal's reason, if the signal has aborted, or aborts, before the returned function is called. Never within this call. */
  add(signal: AbortSignal, abort: Abort): () => void {
    if (signal.aborted) return abortSoon(signal, abort)
    const watched = this.#signals.get(signal) ?? this.#watch(signal)
    const { waiting } = watched
    waiting.add(abort)
    return () => {
      if (waiting.delete(abort) && waiting.size === 0) this.#forget(signal, watched)
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
      for (const abort of waiting) abort(signal.reason)
      waiting.clear()
    }
    const watched = { waiting, listener }
    this.#signals.set(signal, watched)
    signal.addEventListener('abort', listener, { once: true })
    return watched
  }

  #forget(signal: AbortSignal, watched: Watched): void {
    if (this.#signals.get(signal) === watched) this.#signals.delete(signal)
    signal.removeEventListener('abort', watched.listener)
  }
}

/** A signal that has aborted tells nobody any more. */
function abortSoon(signal: AbortSignal, abort: Abort): () => void {
  let isWanted = true
  const tell = async (): Promise<void> => {
    await Promise.resolve()
    if (isWanted) abort(signal.reason)
  }
  void tell()
  return () => {
    isWanted = false
  }
}
