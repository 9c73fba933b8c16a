// The first phase of a transaction: keys, locks, the preflight, and all of them again when what it has read has changed. Knows when a result is no longer
// wanted, and gives the locks back in any case; does not know what the result is for.
import { closed, conflict, type PreflightRejectedError } from '../../errors.ts'
import { Deferred } from '../../internal/deferred.ts'
import { performance } from '../../internal/platform.ts'
import { isThenable } from '../../internal/thenable.ts'
import type { LockGuard } from '../../lock-manager/locks.ts'
import type { CheckReport, Checks } from '../api/phases.ts'
import type { StoreHandle } from '../store-handle.ts'
import { DeclaredKeys } from './declared-keys.ts'
import { Attempt, EmbeddedPreflightContext } from './preflight-context.ts'
import { PreflightReads } from './preflight-reads.ts'

/** How often a preflight runs, at most. */
const MAX_ATTEMPTS = 3

/** What `finish` throws when what was read no longer holds. */
export const CHANGED: unique symbol = Symbol('changed')

/** The limits of a preflight. */
export interface PreflightLimits {
  /** For all waits for locks together. */
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  /** Throws when it may not go on; called after each wait. */
  readonly enter: () => void
}

/** The preflight of one call. */
export class Preflight<P> {
  readonly #handle: StoreHandle
  readonly #checks: Checks<P>
  readonly #limits: PreflightLimits
  #waitedMs = 0
  #last: Attempt | undefined

  constructor(handle: StoreHandle, checks: Checks<P>, limits: PreflightLimits) {
    this.#handle = handle
    this.#checks = checks
    this.#limits = limits
  }

  /**
   * Runs the preflight, and `finish` with its result while the locks are still held. Begins again when `finish` throws {@link CHANGED}.
   *
   * @throws `ERR_CONFLICT`
   */
  async run<T>(finish: (checked: P, attempt: Attempt) => T | Promise<T>): Promise<T> {
    for (let attempts = 1; ; attempts++) {
      const outcome = await this.#attempt(finish)
      if (outcome !== CHANGED) return outcome
      if (attempts === MAX_ATTEMPTS) throw conflict(attempts)
    }
  }

  /** Runs the preflight and reports its result. */
  async examine(): Promise<CheckReport> {
    let errors: readonly string[] = []
    try {
      await this.run(() => {})
    } catch (error) {
      if (error === undefined || error !== this.#last?.rejection) throw error
      errors = (error as PreflightRejectedError).errors
    }
    const { readKeys, writeKeys } = (this.#last as Attempt).declared
    return { valid: errors.length === 0, errors, readKeys, writeKeys }
  }

  async #attempt<T>(finish: (checked: P, attempt: Attempt) => T | Promise<T>): Promise<T | typeof CHANGED> {
    const handle = this.#handle
    const { keys } = this.#checks
    if (handle.shared.open !== undefined) await this.#outsideTransactions()
    this.#limits.enter()
    const declared = new DeclaredKeys(handle, typeof keys === 'function' ? keys() : keys)
    const locked = this.#lock(declared)
    const guard = isThenable(locked) ? await locked : locked
    const attempt = new Attempt(handle, declared, new PreflightReads(handle))
    this.#last = attempt
    try {
      if (handle.shared.open !== undefined) await this.#outsideTransactions()
      this.#limits.enter()
      const running = this.#checks.preflight(new EmbeddedPreflightContext(attempt))
      const checked = isThenable(running) ? await this.#await(running, attempt) : running
      if (attempt.rejection !== undefined) throw attempt.rejection // the preflight has caught it
      if (attempt.reads.isStale) return CHANGED
      if (handle.shared.open !== undefined) await this.#outsideTransactions()
      const finished = finish(checked, attempt)
      return isThenable(finished) ? await finished : finished // the locks are given back in the turn of the commit
    } catch (error) {
      if (error === CHANGED || attempt.reads.isStale) return CHANGED
      throw error
    } finally {
      attempt.end()
      guard?.release()
    }
  }

  /** Waits until no transaction in the explicit form is open: at the latest, it ends with the turn's microtasks. */
  async #outsideTransactions(): Promise<void> {
    while (this.#handle.shared.open !== undefined) await Promise.resolve()
  }

  #lock(declared: DeclaredKeys): LockGuard | undefined | Promise<LockGuard> {
    if (!declared.needsLocks) return undefined
    const { timeoutMs, signal } = this.#limits
    const granted = this.#handle.locks.acquire(declared.locks, Math.max(0, Math.ceil(timeoutMs - this.#waitedMs)), signal)
    if (!isThenable(granted)) return granted
    const sinceMs = performance.now()
    return granted.finally(() => (this.#waitedMs += performance.now() - sinceMs))
  }

  /** The preflight's outcome, or the end of the wait for it: by the signal, or by the closing of the store. */
  async #await(running: PromiseLike<P>, attempt: Attempt): Promise<P> {
    const { signal } = this.#limits
    const ending = new Deferred<never>()
    const end = (why: unknown): void => {
      ending.reject(why) // first: an answer of the preflight to its signal comes too late
      attempt.abort(why)
    }
    const forget = this.#handle.listen(() => end(closed('store')), signal, end)
    const outcome = Promise.race([running, ending.promise])
    outcome.catch(() => {}) // no code may wait for it
    try {
      this.#limits.enter() // the preflight itself may have aborted its signal or closed the store
      return await outcome
    } finally {
      forget()
    }
  }
}
