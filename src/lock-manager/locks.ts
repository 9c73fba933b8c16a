// Locks as their users see them: interfaces only.
declare const refBrand: unique symbol
/** A key of a collection, named by {@link Collection.key}, or a span of keys, by {@link Collection.keys}. */
export interface KeyRef {
  readonly [refBrand]: true
}

/**
 * A name of a lock: any string or bytes (a string and its UTF-8 bytes are the same name), or a key of a collection from `collection.key()`. Names are not
 * empty, at most 1 MiB long, and never the same lock as a key of a collection, unless they happen to share a stripe.
 */
export type LockKey = string | Uint8Array | KeyRef

/** The locks that one caller needs at once. A key named in both is locked exclusively. */
export interface LockSet {
  /** Shared with other readers. */
  read?: readonly LockKey[] | undefined
  /** Exclusive. */
  write?: readonly LockKey[] | undefined
}

/** How long to wait. */
export interface LockOptions {
  /** One limit for the whole set, in ms: an integer from 0 (now or `ERR_LOCK_TIMEOUT`) to 2^31-1. @default the manager's */
  timeoutMs?: number | undefined
  /** Ends the waiting with the signal's reason. If the set is granted at the same time, it is given back. @default none */
  signal?: AbortSignal | undefined
}

/** {@link LockManager}'s options. */
export interface LockManagerOptions {
  /** The number of stripes: a power of two up to 1,048,576. With fewer stripes more names share one, and wait needlessly. @default 16384 */
  stripes?: number | undefined
  /** How long `acquire` waits by default, in ms. @default 5000 */
  timeoutMs?: number | undefined
}

/** A lock manager in figures, over all its threads. Sets are counted, not stripes. */
export interface LockStats {
  /** The number of stripes. */
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

/** A set that is held until it is released. */
export interface LockGuard extends Disposable {
  /** How long it has been held, in ms. `ERR_CLOSED` once it is released. */
  readonly heldMs: number
  /**
   * Releases the whole set. The second call does nothing: it never releases what others have got since.
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
