// Options and results of commits: interfaces only.
import type { Durability } from '../../durability.ts'
import type { EventId } from '../../event-log/log-types.ts'

/** The number of a commit, from 1 on, without gaps. A safe integer. */
export type Seq = number

/** Options of a single write. */
export interface WriteOptions {
  /** What the promise waits for. @default the store's */
  durability?: Durability | undefined
  /** Counts until the commit is applied; an applied commit stays. @default none */
  signal?: AbortSignal | undefined
}

/** {@link WriteOptions}, for `transact`. */
export interface TransactOptions extends WriteOptions {}

/** A wait that can be given up. */
export interface SignalOptions {
  /** Gives up waiting, with the signal's reason. @default none */
  signal?: AbortSignal | undefined
}

/** What a commit did. */
export interface CommitInfo {
  /** Its number; a commit that wrote nothing has the number of the newest commit before it. */
  readonly seq: Seq
  /** Ms since the epoch, never going backwards. */
  readonly timestamp: number
  readonly eventsWritten: number
  /** Absent when there are none. */
  readonly firstEventId?: EventId
  /** Absent when there are none. */
  readonly lastEventId?: EventId
  /** Distinct keys whose last operation was a put. */
  readonly keysWritten: number
  /** Distinct keys whose last operation was a delete. */
  readonly keysDeleted: number
}

/** {@link CommitInfo} and what the transaction's function returned. */
export interface Commit<T> extends CommitInfo {
  readonly result: T
}

/** An applied commit. A handle on which `wait` is never called costs nothing and rejects nothing. */
export interface WriteHandle<T> {
  /** What the transaction's function returned. */
  readonly result: T
  readonly commit: CommitInfo
  /**
   * Resolves when the commit has reached `level`, by default the store's. Rejects with `ERR_POISONED` when it never will.
   *
   * @example
   * ```ts
   * const handle = store.apply((tx) => tx.append({ account: 'anna', cents: 5 }))
   * console.log(handle.result) // the event's id; every reader sees the event
   * await handle.wait('durable') // from now on it survives power loss
   * ```
   */
  wait(level?: Durability): Promise<CommitInfo>
}
