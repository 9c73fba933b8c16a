// The lock manager as its users hold it: it checks the arguments and passes on.
import { invalidArgument } from '../errors.ts'
import { isThenable } from '../internal/thenable.ts'
import { checkFunction, checkOptions, checkPowerOfTwo, signalOf } from '../internal/validate.ts'
import { Environment } from '../native/environment.ts'
import { LockClient } from './lock-client.ts'
import type { LockGuard, LockManagerOptions, LockOptions, LockSet, LockStats } from './locks.ts'

const MANAGER_OPTIONS: ReadonlySet<string> = new Set(['stripes', 'timeoutMs'])
const LOCK_OPTIONS: ReadonlySet<string> = new Set(['timeoutMs', 'signal'])
const DEFAULT_STRIPES = 16_384
/** How long a set of locks is waited for unless somebody says otherwise. */
export const DEFAULT_LOCK_TIMEOUT_MS = 5_000
/** The longest that a timer can wait. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1

/**
 * Locks for names: shared or exclusive, any number at once. Every name is hashed to one of a fixed number of stripes, and the stripes are what is
 * locked; names on the same stripe wait for each other needlessly, and rarely.
 *
 * First come first served holds for sets: of two that have a stripe in common, and do not both only read it, the one that was asked for first is granted first,
 * however wide it is. It takes its place on all of its stripes when it is asked for, so those who come later and want one of them wait behind it, also
 * while that stripe is free. A stream of narrow sets keeps no wide one from its turn.
 *
 * **Acquire all that you need at once.** Sets never wait for each other in a
 * circle. Who holds one set and waits for another can: such a dead-lock lasts until the first time limit of those in it. The same set asked for again
 * while it is held waits for itself.
 *
 * A manager made with `new` is its thread's own. `store.locks` is one for all threads of the process that have the store open; what a
 * thread that ends, or a handle that is closed, still held is released.
 *
 * @example
 * ```ts
 * const locks = new LockManager()
 * const total = await locks.with({ read: ['prices'], write: ['order 17'] }, async () => 42)
 * ```
 */
export class LockManager {
  readonly #client: LockClient
  readonly #timeoutMs: number

  /** @throws `ERR_INVALID_ARGUMENT`, `ERR_NATIVE_MISSING`, `ERR_VERSION_MISMATCH` */
  constructor(options?: LockManagerOptions)
  /** @internal */
  constructor(client: LockClient)
  constructor(from?: LockManagerOptions | LockClient) {
    if (from instanceof LockClient) {
      this.#client = from
      this.#timeoutMs = DEFAULT_LOCK_TIMEOUT_MS
      return
    }
    checkOptions(from, MANAGER_OPTIONS, 'options')
    const { stripes = DEFAULT_STRIPES, timeoutMs = DEFAULT_LOCK_TIMEOUT_MS } = from ?? {}
    checkPowerOfTwo(stripes, 'stripes')
    this.#timeoutMs = checkedTimeout(timeoutMs)
    const environment = Environment.current()
    this.#client = new LockClient(environment, environment.call((cold) => cold.openLocks(stripes)), undefined)
  }

  /**
   * Waits until all of the set can be had. What can be had at once costs one native call; nobody who came first is overtaken.
   *
   * Rejects with `ERR_LOCK_TIMEOUT` (`waitedMs`, `stripe`, `heldMs`), the signal's reason, `ERR_CLOSED` (the store was closed),
   * `ERR_INVALID_ARGUMENT`, `ERR_LIMIT`. Then nothing is held.
   *
   * @example
   * ```ts
   * const guard = await locks.acquire({ write: ['order 17'] }, { timeoutMs: 1_000 })
   * try {
   *   console.log('nobody else has order 17')
   * } finally {
   *   guard.release()
   * }
   * ```
   */
  async acquire(keys: LockSet, options?: LockOptions): Promise<LockGuard> {
    const { turns } = this.#client
    try {
      const granted = this.#acquire(keys, options)
      return isThenable(granted) ? await granted : granted
    } finally {
      const pause = turns.pause() // it may have been granted, or refused, at once
      if (pause !== undefined) await pause
    }
  }

  #acquire(keys: LockSet, options: LockOptions | undefined): LockGuard | Promise<LockGuard> {
    let timeoutMs = this.#timeoutMs
    let signal: AbortSignal | undefined
    if (options !== undefined) {
      checkOptions(options, LOCK_OPTIONS, 'options')
      signal = signalOf(options)
      const { timeoutMs: asked } = options
      if (asked !== undefined) timeoutMs = checkedTimeout(asked)
    }
    return this.#client.acquire(keys, timeoutMs, signal)
  }

  /**
   * All of the set now, or `undefined` and nothing. @throws `ERR_INVALID_ARGUMENT`, `ERR_LIMIT`, `ERR_CLOSED`
   *
   * @example
   * ```ts
   * const guard = locks.tryAcquire({ write: ['order 17'] })
   * if (guard === undefined) console.log('somebody has it')
   * else guard.release()
   * ```
   */
  tryAcquire(keys: LockSet): LockGuard | undefined {
    return this.#client.tryAcquire(keys)
  }

  /**
   * Runs `fn` while all of the set is held, and releases it whatever happens. Rejects with what {@link LockManager.acquire} rejects with, and with what
   * `fn` throws.
   *
   * @example
   * ```ts
   * const total = await locks.with({ read: ['prices'], write: ['order 17'] }, async () => 42)
   * ```
   */
  async with<T>(keys: LockSet, fn: (guard: LockGuard) => T | PromiseLike<T>, options?: LockOptions): Promise<T> {
    checkFunction(fn, 'fn')
    const guard = await this.acquire(keys, options)
    try {
      return await fn(guard)
    } finally {
      guard.release()
    }
  }

  /**
   * Counts and times, as of now. @throws `ERR_CLOSED`
   *
   * @example
   * ```ts
   * const { held, waiting, longestHoldMs } = locks.stats()
   * ```
   */
  stats(): LockStats {
    return this.#client.stats()
  }
}

/** A time limit for a set of locks, in ms. @throws `ERR_INVALID_ARGUMENT` @internal */
export function checkedTimeout(value: unknown): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_TIMEOUT_MS) return value as number
  throw invalidArgument('timeoutMs', `an integer from 0 to ${MAX_TIMEOUT_MS} is needed`)
}
