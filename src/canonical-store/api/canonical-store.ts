// The store as its users see it: interfaces only, none of which says how or where the data is kept.
import type { Codec, Json, KeyCodec } from '../../codecs/codec.ts'
import type { LedgerstoneError } from '../../errors.ts'
import type { EventId } from '../../event-log/log-types.ts'
import type { LockManager } from '../../lock-manager/lock-manager.ts'
import type { VerifyReport } from '../../verify-report.ts'
import type { Collection } from './collection.ts'
import type { Commit, CommitInfo, SignalOptions, TransactOptions, WriteHandle, WriteOptions } from './commit.ts'
import type { EventRange, EventReader, EventRecord, EventSegments, Follower, FollowOptions } from './events.ts'
import type { Pause, PauseOptions } from './pause.ts'
import type { CheckOptions, CheckReport, Checks, Phases, PhasesOptions } from './phases.ts'
import type { Reader } from './reader.ts'
import type { Snapshot } from './snapshot.ts'
import type { StoreMeta, StoreStats } from './store-stats.ts'
import type { Sync, Transaction, WriteTxn } from './transaction.ts'

/**
 * A store of typed state and an event log, committed together. Reads are synchronous; writes apply synchronously and are awaited for a
 * {@link Durability}. One writer at a time, over all threads of the process.
 */
export interface CanonicalStore<E = Json, In = E> extends Reader, AsyncDisposable {
  /** The store's folder, absolute. */
  readonly path: string
  /** Always there: text keys, JSON values. */
  readonly state: Collection<string, Json>
  /** The id that the next event will get. */
  readonly nextEventId: EventId
  /** The oldest event kept; {@link nextEventId} when there is none. */
  readonly oldestEventId: EventId
  /** Why the store stopped taking writes, if it did. */
  readonly failure: LedgerstoneError | undefined
  /** Locks for keys and other names, for all threads that have this store open. What this handle holds is released when it closes. */
  readonly locks: LockManager
  /**
   * A typed key space. The name and the names of the codecs are stored by the first commit that writes to it; making the object stores
   * nothing. Same name and same codecs: the same collection. Keys are utf8 and values json by default.
   *
   * @throws {@link CodecError} `ERR_CODEC_MISMATCH` when it is stored with codecs of other names
   * @throws {@link InvalidArgumentError}
   */
  collection<K extends string = string, V = Json, In = V>(name: string, options?: { key?: KeyCodec<K> | undefined; value?: Codec<V, In> | undefined }): Collection<K, V, In>
  /** A typed key space whose keys are not strings. */
  collection<K, V = Json, In = V>(name: string, options: { key: KeyCodec<K>; value?: Codec<V, In> | undefined }): Collection<K, V, In>
  /** The names of the collections that are stored. */
  collections(): string[]
  /** Removes a collection with all it holds, in one commit. Rejects with `ERR_NOT_FOUND` when there is none; `state` cannot be dropped. */
  dropCollection(name: string, options?: WriteOptions): Promise<CommitInfo>
  /** A read transaction on the newest state. Release it. Throws `ERR_LIMIT` while 1,024 are open. */
  snapshot(): Snapshot<E>
  /**
   * Runs `fn` at once, as the only writer, and applies what it wrote. Throwing in `fn` aborts, leaves no trace, and the error passes
   * through unchanged. While `fn` runs, reads through the store see its writes, and a write attempted through the store aborts it.
   *
   * Throws `ERR_ASYNC_TRANSACTION` (fn returned a promise), `ERR_TRANSACTION_OPEN`, `ERR_BUSY` after 5 s behind another thread,
   * `ERR_BACKPRESSURE` after 5 s of too much unflushed data, `ERR_LIMIT`, `ERR_CODEC_MISMATCH`, `ERR_NO_SPACE`, `ERR_POISONED`, `ERR_CLOSED`.
   */
  apply<T>(fn: (tx: Transaction<In>) => Sync<T>): WriteHandle<T>
  /**
   * {@link apply}, then waits for a durability level. Waits first, in the order of the calls, while the store has too much unflushed
   * data; otherwise `fn` runs within the call. When it is a full device that keeps that data from being flushed, it rejects with `ERR_NO_SPACE`.
   * What is `applied` settles in a microtask, unless the event loop has had no turn for about 2 ms: then everything that is awaited settles in its next turn.
   */
  transact<T>(fn: (tx: Transaction<In>) => Sync<T>, options?: TransactOptions): Promise<Commit<T>>
  /**
   * A transaction in three phases. Locks for the declared keys are taken, and `preflight`, which may be asynchronous, runs under them. Then, as the only
   * writer and without any waiting, what it has read is compared with what is there, and `apply` runs. When a writer that took no locks has changed
   * it, everything begins anew, three times in all. The locks are given back before the commit is awaited, and whatever happens.
   *
   * Rejects with `ERR_PREFLIGHT_REJECTED` (`errors`), `ERR_CONFLICT` (`attempts`), `ERR_LOCK_TIMEOUT`, `ERR_UNDECLARED_KEY`, the signal's reason, what
   * `keys`, `preflight` and `apply` throw, and with what a transaction rejects with.
   */
  transact<P, T>(phases: Phases<In, P, T>, options?: PhasesOptions): Promise<Commit<T>>
  /**
   * The first phase alone: takes the locks, runs the preflight, gives the locks back and tells whether it would let a transaction through, as of then.
   * Writes nothing, so it works on a sealed or paused store too. Rejects with what {@link transact} rejects with before its `apply`, but a rejection by
   * the preflight is a result.
   */
  check<P>(checks: Checks<P>, options?: CheckOptions): Promise<CheckReport>
  /** A transaction in the explicit form. */
  writeTxn(): WriteTxn<In>
  /** Appends one event, or those of an array, in a commit of their own. */
  append(events: In | readonly In[], options?: WriteOptions): Promise<CommitInfo>
  /** Appends events in a commit of their own, also when an event is an array. */
  appendAll(events: readonly In[], options?: WriteOptions): Promise<CommitInfo>
  /** A view of events. */
  events(range?: EventRange): EventReader<E>
  /**
   * Events that are there and those that come. A follower that waits keeps a worker alive, whose events another thread may write, but not a process
   * whose main thread has nothing else to do: nobody could write what it waits for. Where a module's top-level `await` waits for it, Node ends such a
   * process with code 13, and a line on stderr says why. `close()`, a signal or `break` ends it earlier, with code 0.
   */
  follow(options?: FollowOptions): Follower<E>
  /** One event; `undefined` when there is none with this id. */
  event(id: EventId): EventRecord<E> | undefined
  /**
   * Drops exactly the events with ids below `before` and resolves, durably, with how many there were. Beyond the end: all. The space comes back by
   * whole segments. Rejects with `ERR_SEALED`; cannot be aborted.
   */
  trimEvents(range: { before: EventId }): Promise<number>
  /**
   * Closes the newest segment of the event log, after flushing everything applied, and resolves with the path of its file, which does not change any
   * more: copy it to archive it. When nothing has come since the last one was closed, that one's; `undefined` when no closed segment holds an event, because none
   * was ever written or all are trimmed. Cannot be aborted.
   */
  rotateEvents(): Promise<string | undefined>
  /**
   * The closed segments of the event log, held while they are copied: neither a trim nor retention takes a file away. A folder with such copies is
   * read by `EventLog.open(folder, { readOnly: true })` of `ledgerstone/event-log`.
   */
  eventSegments(): EventSegments
  /**
   * Takes no write of any kind, from any thread, until {@link unseal}: each gets `ERR_SEALED`. Resolves, durably, with the newest event, 0 for none;
   * survives reopening; sealing again gives the same id. Cannot be aborted.
   */
  seal(): Promise<EventId>
  /** Takes writes again. Harmless when not sealed. Cannot be aborted. */
  unseal(): Promise<void>
  /** Whether ingestion is paused, by whomever. */
  readonly isPaused: boolean
  /**
   * Keeps writers of all threads out, at once. Resolves when no transaction is open and all that is applied is durable. Meanwhile `transact`, `append`,
   * `put` and `delete` wait, in order, and `apply` and `writeTxn` throw `ERR_PAUSED`; so does whoever paused, if it awaits a write. Pauses are counted:
   * the store goes on when the last is released. Rejects with `ERR_TIMEOUT`, the signal's reason or `ERR_CLOSED`; then the store runs on.
   */
  pauseIngestion(options?: PauseOptions): Promise<Pause>
  /** Ends all pauses, other callers' too. */
  resumeIngestion(): void
  /** Who the store is. */
  meta(): StoreMeta
  /** How the store is doing. */
  stats(): StoreStats
  /** Resolves when all that is applied now is durable. */
  sync(options?: SignalOptions): Promise<void>
  /** Resolves when all that is applied now is in LMDB and in the event log. */
  flush(options?: SignalOptions): Promise<void>
  /**
   * Reads and checks everything that the store's files promise, on a thread of its own, while reading and writing go on: every frame of the
   * journal that is not yet flushed, every frame of the event log, every page and every value of the state, and what these say of each other.
   * Damage is reported, with file and place, and never thrown; also when writing has stopped ({@link failure}). What is in memory only is not
   * looked at: `flush` first to have everything checked.
   *
   * Rejects with `ERR_CLOSED` when this handle is closed, also meanwhile; `ERR_LIMIT` (`readers`) when too many snapshots are open; the signal's reason.
   */
  verify(options?: SignalOptions): Promise<VerifyReport>
  /**
   * Refuses new work, releases snapshots, makes all durable and closes this handle; the last one closes the store. Idempotent. Rejects
   * with `ERR_POISONED` when writing had failed; everything is freed all the same.
   */
  close(): Promise<void>
}
