// The store as its users see it: interfaces only. Nothing here says how or where the data is kept.
import type { Codec, Json, KeyCodec } from '../../codecs/codec.ts'
import type { LedgerstoneError } from '../../errors.ts'
import type { EventId } from '../../event-log/log-types.ts'
import type { LockManager } from '../../lock-manager/lock-manager.ts'
import type { VerifyReport } from '../../verify-report.ts'
import type { Operations } from './backup.ts'
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
 * A store of typed state and an event log, committed together. Reads are synchronous. Writes are applied synchronously, and awaited for a {@link Durability}.
 * One writer at a time, over all threads of the process.
 */
export interface CanonicalStore<E = Json, In = E> extends Reader, Operations, AsyncDisposable {
  /** The store's folder, absolute. */
  readonly path: string
  /** The collection that every store has: text keys, JSON values. */
  readonly state: Collection<string, Json>
  /** The id that the next event will get. */
  readonly nextEventId: EventId
  /** The oldest event kept; {@link nextEventId} when there is none. */
  readonly oldestEventId: EventId
  /** Why the store stopped taking writes, if it did. */
  readonly failure: LedgerstoneError | undefined
  /** Locks for keys and other names, shared by all threads that have this store open. What this handle holds is released when it closes. */
  readonly locks: LockManager
  /**
   * A typed key space. The first commit that writes to it stores its name and the names of its codecs; this call stores nothing. The same name and codecs give the same
   * collection. Keys are utf8 and values json by default.
   *
   * @throws {@link CodecError} `ERR_CODEC_MISMATCH` when it was stored with codecs of other names
   * @throws {@link InvalidArgumentError}
   *
   * @example
   * ```ts
   * const users = store.collection<string, { name: string }>('users')
   * await users.put('u1', { name: 'Anna' })
   * ```
   */
  collection<K extends string = string, V = Json, In = V>(
    name: string,
    options?: { key?: KeyCodec<K> | undefined; value?: Codec<V, In> | undefined },
  ): Collection<K, V, In>
  /**
   * A typed key space whose keys are not strings.
   *
   * @example
   * ```ts
   * const pictures = store.collection('pictures', { key: binary(), value: binary() })
   * await pictures.put(Buffer.from([1, 2]), Buffer.from('a picture'))
   * ```
   */
  collection<K, V = Json, In = V>(name: string, options: { key: KeyCodec<K>; value?: Codec<V, In> | undefined }): Collection<K, V, In>
  /**
   * The names of the stored collections.
   *
   * @example
   * ```ts
   * console.log(store.collections()) // [ 'accounts' ]
   * ```
   */
  collections(): string[]
  /**
   * Removes a collection with all its entries, in one commit. Rejects with `ERR_NOT_FOUND` when there is none; `state` cannot be dropped.
   *
   * @example
   * ```ts
   * await store.dropCollection('accounts')
   * ```
   */
  dropCollection(name: string, options?: WriteOptions): Promise<CommitInfo>
  /**
   * A read transaction on the newest state. Release it. Throws `ERR_LIMIT` while 1,024 are open.
   *
   * @example
   * ```ts
   * const now = store.snapshot()
   * try {
   *   for (const [id, { cents }] of now.range(accounts)) console.log(id, cents)
   * } finally {
   *   now.release()
   * }
   * ```
   */
  snapshot(): Snapshot<E>
  /**
   * Runs `fn` at once, as the only writer, and applies what it wrote. If `fn` throws, nothing is written, and the error passes through unchanged. While `fn`
   * runs, reads through the store see its writes, and a write attempted through the store aborts the transaction.
   *
   * Throws `ERR_ASYNC_TRANSACTION` (`fn` returned a promise), `ERR_TRANSACTION_OPEN`, `ERR_BUSY` after 5 s behind another thread, `ERR_BACKPRESSURE` after 5 s
   * of too much unflushed data, `ERR_LIMIT`, `ERR_CODEC_MISMATCH`, `ERR_NO_SPACE`, `ERR_POISONED`, `ERR_CLOSED`.
   *
   * @example
   * ```ts
   * const handle = store.apply((tx) => {
   *   tx.put(accounts, 'carl', { owner: 'Carl', cents: 100 })
   *   return tx.append({ account: 'carl', cents: 100 })
   * })
   * console.log(accounts.get('carl')?.cents, handle.result)
   * await handle.wait('durable')
   * ```
   */
  apply<T>(fn: (tx: Transaction<In>) => Sync<T>): WriteHandle<T>
  /**
   * {@link apply}, then waits for a durability level. While the store has too much unflushed data, `fn` waits first, in the order of the calls; otherwise it
   * runs within the call. If a full device keeps that data from being flushed, it rejects with `ERR_NO_SPACE`. A wait for `applied` settles in a microtask,
   * unless the event loop has had no turn for about 2 ms: then everything that is awaited settles in its next turn.
   *
   * @example
   * ```ts
   * const { seq, result } = await store.transact((tx) => {
   *   const anna = tx.get(accounts, 'anna')
   *   if (anna === undefined || anna.cents < 300) throw new Error('not enough') // nothing is written
   *   tx.put(accounts, 'anna', { ...anna, cents: anna.cents - 300 })
   *   return tx.append({ account: 'anna', cents: -300 })
   * })
   * ```
   */
  transact<T>(fn: (tx: Transaction<In>) => Sync<T>, options?: TransactOptions): Promise<Commit<T>>
  /**
   * A transaction in three phases. It takes locks for the declared keys and runs `preflight`, which may be asynchronous, under them. Then, as the only writer
   * and without waiting, it compares what the preflight has read with the present state, and runs `apply`. If a writer that took no locks has changed it, all
   * phases run again, up to three times in all. The locks are given back before the commit is awaited, and in any case.
   *
   * Rejects with `ERR_PREFLIGHT_REJECTED` (`errors`), `ERR_CONFLICT` (`attempts`), `ERR_LOCK_TIMEOUT`, `ERR_UNDECLARED_KEY`, the signal's reason, what `keys`,
   * `preflight` and `apply` throw, and what a transaction rejects with.
   *
   * @example
   * ```ts
   * await store.transact({
   *   keys: { read: [accounts.key('anna')], write: [accounts.key('ben')] },
   *   preflight: async (ctx) => {
   *     const anna = ctx.get(accounts, 'anna')
   *     if (anna === undefined) return ctx.reject('there is no account anna')
   *     return await Promise.resolve(anna.cents) // whatever has to be awaited
   *   },
   *   apply: (tx, cents) => tx.put(accounts, 'ben', { owner: 'Ben', cents }),
   * })
   * ```
   */
  transact<P, T>(phases: Phases<In, P, T>, options?: PhasesOptions): Promise<Commit<T>>
  /**
   * The first phase alone: takes the locks, runs the preflight, gives the locks back, and reports whether the preflight would let a transaction through, as of
   * now. Writes nothing, so it works on a sealed or paused store too. Rejects with what {@link transact} rejects with before its `apply`; a rejection by the
   * preflight is a result.
   *
   * @example
   * ```ts
   * const { valid, errors } = await store.check({
   *   keys: { read: [accounts.key('anna')] },
   *   preflight: (ctx) => {
   *     if (!ctx.has(accounts, 'anna')) ctx.reject('there is no account anna')
   *   },
   * })
   * ```
   */
  check<P>(checks: Checks<P>, options?: CheckOptions): Promise<CheckReport>
  /**
   * A transaction in the explicit form.
   *
   * @example
   * ```ts
   * const tx = store.writeTxn()
   * tx.append({ account: 'anna', cents: 5 })
   * const { commit } = tx.commit()
   * console.log(commit.seq)
   * ```
   */
  writeTxn(): WriteTxn<In>
  /**
   * Appends one event, or all events of an array, in one commit.
   *
   * @example
   * ```ts
   * const { firstEventId } = await store.append({ account: 'anna', cents: 5 })
   * ```
   */
  append(events: In | readonly In[], options?: WriteOptions): Promise<CommitInfo>
  /**
   * Appends events in one commit, also if an event is an array.
   *
   * @example
   * ```ts
   * await store.appendAll([{ account: 'anna', cents: -5 }, { account: 'ben', cents: 5 }])
   * ```
   */
  appendAll(events: readonly In[], options?: WriteOptions): Promise<CommitInfo>
  /**
   * A view of events.
   *
   * @example
   * ```ts
   * for (const { id, event } of store.events({ from: 1, limit: 100 })) console.log(id, event.account)
   * for (const { id } of store.events({ reverse: true, limit: 1 })) console.log('the newest is', id)
   * ```
   */
  events(range?: EventRange): EventReader<E>
  /**
   * The existing events, then new ones as they come. A waiting follower keeps a worker alive, because another thread may write its events. It does not keep a
   * process alive whose main thread has nothing else to do: no code could write what it waits for. If a module's top-level `await` waits for it, Node ends such
   * a process with code 13, and a line on stderr says why. `close()`, a signal or `break` ends it earlier, with code 0.
   *
   * @example
   * ```ts
   * let cursor = 0 // the last event that was handled
   * for await (const { id, event } of store.follow({ after: cursor })) {
   *   console.log(event.account)
   *   cursor = id
   *   if (cursor === 2) break
   * }
   * ```
   */
  follow(options?: FollowOptions): Follower<E>
  /**
   * One event; `undefined` when there is none with this id.
   *
   * @example
   * ```ts
   * const first = store.event(1)
   * console.log(first?.timestamp, first?.event.cents)
   * ```
   */
  event(id: EventId): EventRecord<E> | undefined
  /**
   * Drops exactly the events with ids below `before`, and resolves, durably, with their number. Beyond the end: all. The space is freed by whole segments. Rejects with
   * `ERR_SEALED`; cannot be aborted.
   *
   * @example
   * ```ts
   * const dropped = await store.trimEvents({ before: 2 })
   * console.log(dropped, store.oldestEventId) // 1 2
   * ```
   */
  trimEvents(range: { before: EventId }): Promise<number>
  /**
   * Flushes everything applied and closes the newest segment of the event log. Resolves with the path of its file, which does not change any more: copy it to
   * archive it. If no event has come since the last one was closed, resolves with that one's path; `undefined` when no closed segment holds an event, because
   * none was ever written or all are trimmed. Cannot be aborted.
   *
   * @example
   * ```ts
   * const file = await store.rotateEvents()
   * console.log(file) // a file that does not change any more
   * ```
   */
  rotateEvents(): Promise<string | undefined>
  /**
   * The closed segments of the event log, held while they are copied: neither a trim nor retention removes a file. `EventLog.open(folder, { readOnly: true })` of
   * `ledgerstone/event-log` reads a folder with such copies.
   *
   * @example
   * ```ts
   * const segments = store.eventSegments()
   * try {
   *   for (const { path, firstEventId, lastEventId } of segments) console.log(path, firstEventId, lastEventId)
   * } finally {
   *   segments.release()
   * }
   * ```
   */
  eventSegments(): EventSegments
  /**
   * Refuses every write from any thread with `ERR_SEALED`, until {@link unseal}. Resolves, durably, with the newest event, 0 for none. Survives reopening;
   * sealing again gives the same id. Cannot be aborted.
   *
   * @example
   * ```ts
   * const last = await store.seal()
   * console.log('nothing comes behind event', last)
   * ```
   */
  seal(): Promise<EventId>
  /**
   * Takes writes again. Does nothing when not sealed. Cannot be aborted.
   *
   * @example
   * ```ts
   * await store.seal()
   * await store.unseal()
   * await accounts.put('carl', { owner: 'Carl', cents: 0 })
   * ```
   */
  unseal(): Promise<void>
  /** Whether any caller has paused ingestion. */
  readonly isPaused: boolean
  /**
   * Keeps writers of all threads out, from this call on. Resolves when no transaction is open and all that is applied is durable. During the pause `transact`,
   * `append`, `put` and `delete` wait, in order, and `apply` and `writeTxn` throw `ERR_PAUSED`; a caller that pauses and awaits a write waits for itself.
   * Pauses are counted: the store goes on when the last is released. Rejects with `ERR_TIMEOUT`, the signal's reason, `ERR_CLOSED`, or `ERR_TRANSACTION_OPEN`
   * inside a transaction, whose commit it would prevent; then the store runs on.
   *
   * @example
   * ```ts
   * const pause = await store.pauseIngestion({ timeoutMs: 10_000 })
   * try {
   *   console.log('nothing is written until the pause is released')
   * } finally {
   *   pause.release()
   * }
   * ```
   */
  pauseIngestion(options?: PauseOptions): Promise<Pause>
  /**
   * Ends all pauses, also those of other callers.
   *
   * @example
   * ```ts
   * await store.pauseIngestion()
   * store.resumeIngestion()
   * console.log(store.isPaused) // false
   * ```
   */
  resumeIngestion(): void
  /**
   * The identity of the store.
   *
   * @example
   * ```ts
   * const { storeId, createdAt } = store.meta()
   * console.log(storeId, new Date(createdAt))
   * ```
   */
  meta(): StoreMeta
  /**
   * The state of the store in figures.
   *
   * @example
   * ```ts
   * const { levels, delta } = store.stats()
   * console.log(levels.applied - levels.durable, 'commits are not durable yet;', delta.bytes, 'bytes are not flushed')
   * ```
   */
  stats(): StoreStats
  /**
   * Resolves when everything that is applied now is durable.
   *
   * @example
   * ```ts
   * store.apply((tx) => tx.append({ account: 'anna', cents: 5 }))
   * await store.sync() // power may fail now
   * ```
   */
  sync(options?: SignalOptions): Promise<void>
  /**
   * Resolves when everything that is applied now is in LMDB and in the event log.
   *
   * @example
   * ```ts
   * await store.flush()
   * console.log(store.stats().delta.entries) // 0
   * ```
   */
  flush(options?: SignalOptions): Promise<void>
  /**
   * Reads and checks everything that the store's files promise, on a separate thread, while reading and writing go on: every frame of the journal that is not
   * yet flushed, every frame of the event log, every page and every value of the state, and whether these agree. Damage is reported, with file and place, and
   * never thrown; also when writing has stopped ({@link failure}). What is in memory only is not checked: `flush` first to have everything checked.
   *
   * Rejects with `ERR_CLOSED` when this handle is closed, also during it; `ERR_LIMIT` (`readers`) when too many snapshots are open; the signal's reason.
   *
   * @example
   * ```ts
   * await store.flush()
   * const { ok, problems } = await store.verify()
   * for (const { file, offset, message } of problems) console.error(file, offset, message)
   * ```
   */
  verify(options?: SignalOptions): Promise<VerifyReport>
  /**
   * Refuses new work, releases snapshots, makes everything durable and closes this handle; the last handle closes the store. Idempotent. Rejects with
   * `ERR_POISONED` when writing had failed; everything is freed all the same.
   *
   * @example
   * ```ts
   * const other = await open('./other')
   * try {
   *   await other.state.put('answer', 42)
   * } finally {
   *   await other.close()
   * }
   * ```
   */
  close(): Promise<void>
}
