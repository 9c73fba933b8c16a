// The lock manager as its users see it: checks the arguments and passes the calls on to its client.
import { isThenable } from '../internal/thenable.ts'
import { checkFunction, checkOptions, checkPowerOfTwo, signalOf } from '../internal/validate.ts'
import { Environment } from '../native/environment.ts'
import { LockClient } from './lock-client.ts'
import { checkedTimeout, DEFAULT_LOCK_TIMEOUT_MS } from './lock-timeout.ts'
import type { LockGuard, LockManagerOptions, LockOptions, LockSet, LockStats } from './locks.ts'

const MANAGER_OPTIONS: ReadonlySet<string> = new Set(['stripes', 'timeoutMs'])
const LOCK_OPTIONS: ReadonlySet<string> = new Set(['timeoutMs', 'signal'])
const DEFAULT_STRIPES = 16_384

/**
 * Locks for names: shared or exclusive, any number at once. Every name is hashed to one of a fixed number of stripes, and the stripes are what is locked: now and then
 * names on the same stripe wait for each other needlessly.
 *
 * Sets are granted first come first served: of two sets that share a stripe, and do not both only read it, the one that was requested first is granted first, however
 * large it is. A set takes its place on all of its stripes when it is requested, so later sets wait behind it, even for a stripe that is still free. A stream of
 * small sets cannot keep a large one waiting for ever.
 *
 * **Acquire everything that you need at once.** Then sets never wait for each other in a circle. A caller that holds one set and waits for another can cause a
 * dead-lock, which lasts until the first time limit in it. A set that is requested again by its holder waits for itself.
 *
 * A manager made with `new` belongs to its thread. `store.locks` is shared by all threads of the process that have the store open; what a thread or a handle still
 * holds at its end is released.
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
    this.#client = new LockClient(
      environment,
      environment.call((cold) => cold.openLocks(stripes)),
      undefined,
    )
  }

  /**
   * Waits until the whole set is granted. A set that is free costs one native call; a caller that came first is never overtaken.
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
   * The whole set if it is free now, otherwise `undefined`. @throws `ERR_INVALID_ARGUMENT`, `ERR_LIMIT`, `ERR_CLOSED`
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
   * Runs `fn` while the whole set is held, and releases it in any case. Rejects with what {@link LockManager.acquire} rejects with, and with what `fn` throws.
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
