// The locks as their users see them: interfaces only.
declare const refBrand: unique symbol
/** A key of a collection, named by {@link Collection.key}, or a span of keys, by {@link Collection.keys}. */
export interface KeyRef {
  readonly [refBrand]: true
}

/**
 * What can be locked: a name of one's own (a string, or bytes; a string and its UTF-8 bytes are the same name), or a key of a collection as
 * `collection.key()` gives it. Names are not empty, at most 1 MiB long, and never the same lock as a key of a collection, unless they
 * happen to share a stripe.
 */
export type LockKey = string | Uint8Array | KeyRef

/** What one caller wants at once. A key named in both is wanted for writing. */
export interface LockSet {
  /** Shared with others that read. */
  read?: readonly LockKey[] | undefined
  /** Alone. */
  write?: readonly LockKey[] | undefined
}

/** How long to wait. */
export interface LockOptions {
  /** One limit for the whole set, in ms: an integer from 0 (now or `ERR_LOCK_TIMEOUT`) to 2^31-1. @default the manager's */
  timeoutMs?: number | undefined
  /** Ends the waiting with the signal's reason. A grant that comes at the same time is given back. @default none */
  signal?: AbortSignal | undefined
}

/** {@link LockManager}'s options. */
export interface LockManagerOptions {
  /** How many stripes: a power of two up to 1,048,576. Two names share one by chance: fewer stripes, more needless waiting. @default 16384 */
  stripes?: number | undefined
  /** How long `acquire` waits unless it says otherwise, in ms. @default 5000 */
  timeoutMs?: number | undefined
}

/** A lock manager in figures, all its threads together. Sets are counted, not stripes. */
export interface LockStats {
  /** How many stripes there are. */
  stripes: number
  /** Sets that are held. */
  held: number
  /** Sets that wait. */
  waiting: number
  /** Sets that have been granted. */
  acquired: number
  /** Sets that could not be granted at once. */
  contended: number
  /** Sets that were not granted in time. */
  timeouts: number
  /** The longest wait that has ended, however it ended, in ms. */
  longestWaitMs: number
  /** The longest hold that has ended, in ms. */
  longestHoldMs: number
}

/** A set that is held, until it is released. */
export interface LockGuard extends Disposable {
  /** For how long, in ms. `ERR_CLOSED` once it is held no more. */
  readonly heldMs: number
  /**
   * Gives all of it back. Harmless the second time: it never frees what others have got since.
   *
   * @example
   * ```ts
   * const guard = await locks.acquire({ read: ['prices'] })
   * guard.release()
   * guard.release() // does nothing
   * ```
   */
  release(): void
}
