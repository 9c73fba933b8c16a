// The store as its users see it: interfaces only, none of which says how or where the data is kept.
import type { Codec, Json, KeyCodec, KeyPrefix } from '../codecs/codec.ts'
import type { Durability } from '../durability.ts'
import type { LedgerstoneError } from '../errors.ts'
import type { LockManager } from '../lock-manager/lock-manager.ts'
import type { LockStats } from '../lock-manager/locks.ts'
import type { EventId, EventRange, EventReader, EventRecord, EventSegments, Follower, FollowOptions } from './events.ts'
import type { CheckOptions, CheckReport, Checks, Phases, PhasesOptions } from './phases.ts'
import type { VerifyReport } from './verify-report.ts'

export type { EventId, EventRange, EventReader, EventRecord, EventSegments, Follower, FollowOptions } from './events.ts'
export type { VerifyProblem, VerifyReport } from './verify-report.ts'

/** The number of a commit, from 1 on, without gaps. A safe integer. */
export type Seq = number

/** What a single write may say for itself. */
export interface WriteOptions {
  /** What the promise waits for; the store's level by default. */
  durability?: Durability | undefined
  /** Counts until the commit is applied; from then on the commit stands. */
  signal?: AbortSignal | undefined
}
/** {@link WriteOptions}, for `transact`. */
export interface TransactOptions extends WriteOptions {}
/** What can be given up. */
export interface SignalOptions { signal?: AbortSignal | undefined }

/** A typed key space of a store. `In` is what its value codec takes, `V` what it gives. */
export interface Collection<K, V, In = V> {
  /** The name it is stored under. */
  readonly name: string
  /** {@link Reader.get} of this collection. */
  get(key: K): V | undefined
  /** {@link Reader.getMany} of this collection. */
  getMany(keys: readonly K[]): (V | undefined)[]
  /** {@link Reader.has} of this collection. */
  has(key: K): boolean
  /** {@link Reader.range} of this collection. */
  range(range?: KeyRange<K>): Range<K, V>
  /**
   * Writes one value in a commit of its own. Rejects with what {@link CanonicalStore.transact} rejects with, and with `ERR_INVALID_ARGUMENT`
   * for an empty key or one of the wrong type, `ERR_LIMIT`, `ERR_CODEC`, `ERR_VALIDATION`.
   */
  put(key: K, value: In, options?: WriteOptions): Promise<CommitInfo>
  /** Deletes one key in a commit of its own; a key that is not there makes an empty one. */
  delete(key: K, options?: WriteOptions): Promise<CommitInfo>
  /** Names a key without reading it, for locks and for what a preflight declares. */
  key(key: K): KeyRef
  /**
   * Names a span of keys, for what a preflight declares to `read`: it may then read any range and any key in it (`reverse` and `limit` do not matter).
   * It takes no lock; that nothing has come, gone or changed in what was read is validated.
   */
  keys(range?: KeyRange<K>): KeyRef
}

declare const refBrand: unique symbol
/** A key of a collection, named by {@link Collection.key}, or a span of keys, by {@link Collection.keys}. */
export interface KeyRef { readonly [refBrand]: true }

/**
 * Which keys, in which order. Lower: `gte` or `gt`; upper: `lt` or `lte`; bounds may be any bytes, also ones that no key could be. A prefix and
 * bounds intersect; crossing bounds are an empty range.
 */
export interface KeyRange<K> {
  gte?: K | undefined; gt?: K | undefined; lt?: K | undefined; lte?: K | undefined
  /** utf8 and binary keys: the bytes that a key begins with. */
  prefix?: KeyPrefix<K> | undefined
  /** From the last key to the first. */
  reverse?: boolean | undefined
  /** How many entries at most: an integer >= 0, or Infinity. */
  limit?: number | undefined
}

/**
 * A lazy, repeatable view. Each iteration sees one point in time, the one at which it started, complete and in order, even while others
 * write. Leaving a loop early releases what it held.
 */
export interface Range<K, V> extends Iterable<[key: K, value: V]> {
  /** The keys alone; the values are not read. */
  keys(): Iterable<K>
  /** The values alone. */
  values(): Iterable<V>
  /** How many entries there are now. */
  count(): number
  /** All entries, now. */
  toArray(): [key: K, value: V][]
}

/**
 * What can be read: a store, a snapshot, a transaction. What is missing is `undefined`, and so is a key that cannot exist (empty or too long).
 * All raise `ERR_INVALID_ARGUMENT` for a key of the wrong type or a collection of another store, `ERR_CODEC` for a key that cannot be encoded or
 * bytes that cannot be decoded, `ERR_CORRUPT`, `ERR_IO`, and `ERR_CLOSED` (`ERR_TRANSACTION_FINISHED`) after the end.
 */
export interface Reader {
  /** The value at a key. */
  get<K, V>(from: Collection<K, V, never>, key: NoInfer<K>): V | undefined
  /** The values at many keys, in the order of the keys, all at one point in time. */
  getMany<K, V>(from: Collection<K, V, never>, keys: readonly NoInfer<K>[]): (V | undefined)[]
  /** Whether there is a value. */
  has<K, V>(from: Collection<K, V, never>, key: NoInfer<K>): boolean
  /** A view of the keys between two bounds; without bounds all. Nothing is read before it is iterated. */
  range<K, V>(from: Collection<K, V, never>, range?: KeyRange<NoInfer<K>>): Range<K, V>
}

/** How to pause. */
export interface PauseOptions extends SignalOptions {
  /** How long to wait for open transactions and for the device, in ms; 30,000 by default. */
  timeoutMs?: number | undefined
}
/** A pause of ingestion, until it is released. */
export interface Pause extends Disposable {
  /** Lets writers in again, unless there are other pauses. Harmless the second time. */
  release(): void
}

/** One point in time of a store, until it is released. It holds on to memory and disk space: release it soon. */
export interface Snapshot<E> extends Reader, Disposable {
  /** The newest commit that it sees. */
  readonly seq: Seq
  /** The first event id that it does not see. */
  readonly nextEventId: EventId
  /** The events at this point in time. */
  events(range?: EventRange): EventReader<E>
  /** Ends it; doing so twice is harmless. Afterwards everything is `ERR_CLOSED`. */
  release(): void
}

/**
 * What a transaction's function works with. Reads see its own writes. A call that fails has written nothing; if the function catches the error
 * the transaction goes on. After the end every call is `ERR_TRANSACTION_FINISHED`.
 */
export interface Transaction<E> extends Reader {
  /** Writes a value; an empty one is a value too. */
  put<K, V, In>(into: Collection<K, V, In>, key: NoInfer<K>, value: NoInfer<In>): void
  /** Deletes a key and tells whether it was there; when it was not, nothing is written. */
  delete<K, V>(from: Collection<K, V, never>, key: NoInfer<K>): boolean
  /** Deletes every key of a range and tells how many there were. `ERR_LIMIT` (`transactionBytes`) when they are too many for one transaction. */
  deleteRange<K, V>(from: Collection<K, V, never>, range: Omit<KeyRange<NoInfer<K>>, 'reverse' | 'limit'>): number
  /** Appends an event; the result is the id it will have. An abort burns none. */
  append(event: E): EventId
  /** Appends events, all or none; `undefined` for none. */
  appendAll(events: readonly E[]): { first: EventId; last: EventId } | undefined
}

/** A transaction in the explicit form. One still open when the next microtask runs (at the first `await`) is aborted. */
export interface WriteTxn<E> extends Transaction<E>, Disposable {
  /** Applies what was written. */
  commit(): WriteHandle<void>
  /** Ends it without a trace; after the end it does nothing. */
  abort(): void
}

/** What a commit did. */
export interface CommitInfo {
  /** Its number; a commit that wrote nothing has the number of the newest before it. */
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
export interface Commit<T> extends CommitInfo { readonly result: T }

/** A commit that is applied. A handle that nobody waits for costs nothing and rejects nothing. */
export interface WriteHandle<T> {
  /** What the transaction's function returned. */
  readonly result: T
  readonly commit: CommitInfo
  /** Resolves when the commit has reached `level`, by default the store's. Rejects with `ERR_POISONED` when it never will. */
  wait(level?: Durability): Promise<CommitInfo>
}

/** Turns a promise returned by a synchronous callback into a compile error that says why. */
export type Sync<T> = T extends PromiseLike<unknown> ? { 'a transaction callback is synchronous; await in a preflight': never } : T

/** Who the store is. */
export interface StoreMeta {
  /** A UUID, made with the store. */
  storeId: string
  /** The version of the format on disk. */
  formatVersion: number
  /** Ms since the epoch. */
  createdAt: number
  /** Ms since the epoch: the newest commit, or the creation. */
  updatedAt: number
  nextEventId: EventId
  /** The newest event when the store was sealed, 0 for none; absent while it is not sealed. */
  sealedEventId?: EventId
}

/** How the store is doing. Histograms are by powers of two: entry n counts what is below 2^n and not below 2^(n-1). */
export interface StoreStats {
  /** The newest commit at each level; `flushed` is in LMDB and in the event log. */
  levels: { applied: Seq; written: Seq; durable: Seq; flushed: Seq }
  /**
   * `leadMs`: how far the newest timestamp is ahead of the wall clock. Timestamps never go back: more than 0 means that a clock was ahead when
   * something was written, and what is written until it has caught up bears that same timestamp.
   */
  events: { count: number; oldest: EventId; next: EventId; bytes: number; segments: number; leadMs: number }
  state: { bytes: number; mapBytes: number }
  /** What is applied and not yet flushed. */
  delta: { bytes: number; entries: number }
  journal: { files: number; bytes: number; groups: number; flushes: number; groupSizes: number[]; flushMicros: number[] }
  flusher: { runs: number; lastMs: number }
  /**
   * What is held open for reading, by all threads: how many snapshots; the age in ms of the oldest of them and of the iterations that are under way;
   * how many flushed bytes they keep in memory. While one is open LMDB cannot reuse what it may still read, and `state.bytes` grows with each flush.
   */
  readers: { snapshots: number; oldestMs: number; bytes: number }
  /** The locks of {@link CanonicalStore.locks}. */
  locks: LockStats
  /** What the last opening found: journal frames replayed, bytes of a torn end cut. */
  recovery: { epoch: number; frames: number; bytesCut: number }
}

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
   * the store goes on when the last is released. Rejects with `ERR_TIMEOUT`, the signal's reason, `ERR_CLOSED`, or `ERR_TRANSACTION_OPEN` inside a transaction, which
   * it would keep from its own commit; then the store runs on.
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

/** How to open a store. The options beside `durability`, `create` and `signal` belong to the store: see {@link open}. */
export interface OpenOptions<E = Json, In = E> {
  /** How event payloads become bytes; `json()` by default. Its name is stored by the first commit with events. */
  events?: Codec<E, In> | undefined
  /** What `transact`, `append`, `put` and `delete` of this handle wait for; `durable` by default. */
  durability?: Durability | undefined
  /** `false`: a missing store is `ERR_NOT_FOUND`; `true` by default. */
  create?: boolean | undefined
  /** Bytes at most: a key 1,024, a value 16 MiB, an event 4 MiB, what one transaction writes 64 MiB by default. */
  limits?: { keyBytes?: number | undefined; valueBytes?: number | undefined; eventBytes?: number | undefined; transactionBytes?: number | undefined } | undefined
  /** When memory is flushed: at so many bytes (at least 64 KiB; 64 MiB by default), or so many ms (1,000) after the first write. */
  flush?: { bytes?: number | undefined; intervalMs?: number | undefined } | undefined
  /** Whether a few awaited commits, or a lone one, may flush on this thread when the device is fast; `auto` by default. */
  inlineFlush?: 'auto' | 'never' | undefined
  /** LMDB's address space, in bytes; it grows by itself when it is full. */
  mapSizeBytes?: number | undefined
  /** The size of an event-log segment, in bytes: at least 64 KiB; 64 MiB by default. */
  segmentBytes?: number | undefined
  /** How events are stored where it makes them smaller; `none` by default. Any log may hold all three. */
  eventCompression?: 'none' | 'lz4' | 'zstd' | undefined
  /**
   * Which of the oldest events go by themselves, at the next flush; nothing by default. By whole segments, and as soon as one of these allows it: the newest
   * `maxEvents` stay, those younger than `maxAgeMs` stay, the log's files take about `maxBytes`. Not while sealed or paused.
   */
  retention?: { maxEvents?: number | undefined; maxAgeMs?: number | undefined; maxBytes?: number | undefined } | undefined
  /** A snapshot or an iteration open for so many ms (60,000 by default) gets one process warning, `LEDGERSTONE_LONG_READER`. */
  readers?: { warnAfterMs?: number | undefined } | undefined
  /**
   * `true`: the folder may be on a file system that other machines share (NFS, SMB, a virtual machine's shared folder, an unknown program behind
   * FUSE), which is `ERR_FILE_SYSTEM` otherwise. There, nobody else may open the store, and `durable` is what that file system makes of a flush.
   */
  allowNetworkFileSystem?: boolean | undefined
  /** Lock stripes: a power of two up to 1,048,576; default 16,384. See {@link LockManager}. */
  stripes?: number | undefined
  /** Gives up waiting for the opening. */
  signal?: AbortSignal | undefined
}
