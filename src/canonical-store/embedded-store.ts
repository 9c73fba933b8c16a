// The store that `open` returns: the handle, its writer and its collections behind the public interface. Checks that it is open and passes the calls on.
import type { Codec, Json, KeyCodec } from '../codecs/codec.ts'
import { json } from '../codecs/json.ts'
import { utf8 } from '../codecs/utf8.ts'
import { invalidArgument, type LedgerstoneError } from '../errors.ts'
import type { EventId } from '../event-log/log-types.ts'
import { Deferred } from '../internal/deferred.ts'
import { throwIfAborted } from '../internal/platform.ts'
import { checkInteger, checkOptions, signalOf } from '../internal/validate.ts'
import { LockManager } from '../lock-manager/lock-manager.ts'
import type { ColdCalls } from '../native/binding.ts'
import type { VerifyReport } from '../verify-report.ts'
import type { BackupInfo, BackupOptions } from './api/backup.ts'
import type { CanonicalStore } from './api/canonical-store.ts'
import type { Collection, KeyRange, Range } from './api/collection.ts'
import type { Commit, CommitInfo, SignalOptions, TransactOptions, WriteHandle, WriteOptions } from './api/commit.ts'
import type { EventRange, EventReader, EventRecord, EventSegments, Follower, FollowOptions } from './api/events.ts'
import type { Pause, PauseOptions } from './api/pause.ts'
import type { CheckOptions, CheckReport, Checks, Phases, PhasesOptions } from './api/phases.ts'
import type { Snapshot } from './api/snapshot.ts'
import type { StoreMeta, StoreStats } from './api/store-stats.ts'
import type { Sync, Transaction, WriteTxn } from './api/transaction.ts'
import { backUp } from './backup.ts'
import { EmbeddedCollection, spaceOf } from './collection.ts'
import type { EventSource } from './events/event-pass.ts'
import { EmbeddedEventReader } from './events/event-reader.ts'
import { HeldEventSegments } from './events/event-segments.ts'
import { EmbeddedFollower } from './events/follower.ts'
import { readEvent } from './events/read-event.ts'
import { KeyBounds, RANGE_OPTIONS } from './key-bounds.ts'
import { EmbeddedRange } from './reading/range.ts'
import { EmbeddedSnapshot } from './snapshot.ts'
import { checkName, type StoreHandle } from './store-handle.ts'
import { verify } from './verification.ts'
import { DURABLE, FLUSHED, type Level } from './watching/waiters.ts'
import { pause } from './writing/pause.ts'
import { Writer } from './writing/writer.ts'

const COLLECTION_OPTIONS: ReadonlySet<string> = new Set(['key', 'value'])
const TRIM_OPTIONS: ReadonlySet<string> = new Set(['before'])
const SIGNAL_OPTIONS: ReadonlySet<string> = new Set(['signal'])
const STATE = 'state'

type AnyCollection = Collection<unknown, unknown>

/** A store in this process. */
export class EmbeddedStore<E, In> implements CanonicalStore<E, In> {
  readonly path: string
  readonly state: Collection<string, Json>
  readonly #handle: StoreHandle
  readonly #writer: Writer
  readonly #events: EventSource
  /** By key codec, value codec and name: codecs are objects, and one made for a single call must not be kept alive. */
  readonly #collections = new WeakMap<object, WeakMap<object, Map<string, AnyCollection>>>()
  /** Those that are being made; each settles when its files are made, or gone. */
  readonly #backups = new Set<Promise<void>>()
  #locks: LockManager | undefined
  #closing: Promise<void> | undefined

  constructor(path: string, handle: StoreHandle) {
    this.path = path
    this.#handle = handle
    this.#writer = new Writer(handle)
    this.#events = eventSource(handle)
    this.state = this.collection(STATE)
  }

  get nextEventId(): EventId {
    this.#handle.check()
    return this.#events.nextEventId()
  }

  get oldestEventId(): EventId {
    this.#handle.check()
    return this.#handle.environment.call((cold) => cold.oldestEventId(this.#handle.id))
  }

  get failure(): LedgerstoneError | undefined {
    this.#handle.check()
    return this.#handle.shared.failure
  }

  get locks(): LockManager {
    this.#handle.check()
    return (this.#locks ??= new LockManager(this.#handle.locks))
  }

  collection<K extends string = string, V = Json, In = V>(
    name: string,
    options?: { key?: KeyCodec<K> | undefined; value?: Codec<V, In> | undefined },
  ): Collection<K, V, In>
  collection<K, V = Json, In = V>(name: string, options: { key: KeyCodec<K>; value?: Codec<V, In> | undefined }): Collection<K, V, In>
  collection(name: string, options?: { key?: KeyCodec<unknown> | undefined; value?: Codec<unknown> | undefined }): AnyCollection {
    this.#handle.check()
    checkOptions(options, COLLECTION_OPTIONS, 'options')
    const keys = options?.key ?? utf8()
    const values = options?.value ?? json()
    const known = typeof keys === 'object' && typeof values === 'object' ? this.#collections.get(keys)?.get(values)?.get(name) : undefined
    if (known !== undefined) return known
    const made: AnyCollection = new EmbeddedCollection(this.#handle, this.#handle.space(name, keys, values), this.#writer)
    entry(
      entry(this.#collections, keys, () => new WeakMap<object, Map<string, AnyCollection>>()),
      values,
      () => new Map<string, AnyCollection>(),
    ).set(name, made)
    return made
  }

  collections(): string[] {
    this.#handle.check()
    return this.#handle.environment.call((cold) => cold.collections(this.#handle.id))
  }

  dropCollection(name: string, options?: WriteOptions): Promise<CommitInfo> {
    try {
      checkName(name)
      if (name === STATE) throw invalidArgument('name', '`state` cannot be dropped')
    } catch (error) {
      return this.#handle.environment.turns.refuse(error)
    }
    return this.#writer.drop(() => this.#handle.slot(name, '', ''), options)
  }

  get<K, V>(from: Collection<K, V, never>, key: NoInfer<K>): V | undefined {
    return this.#handle.get(spaceOf(from), key)
  }

  getMany<K, V>(from: Collection<K, V, never>, keys: readonly NoInfer<K>[]): (V | undefined)[] {
    return this.#handle.getMany(spaceOf(from), keys)
  }

  has<K, V>(from: Collection<K, V, never>, key: NoInfer<K>): boolean {
    return this.#handle.has(spaceOf(from), key)
  }

  range<K, V>(from: Collection<K, V, never>, range?: KeyRange<NoInfer<K>>): Range<K, V> {
    const space = spaceOf(from)
    this.#handle.check()
    this.#handle.slotOf(space)
    return new EmbeddedRange(this.#handle, space, KeyBounds.of(space, range, RANGE_OPTIONS))
  }

  snapshot(): Snapshot<E> {
    return new EmbeddedSnapshot<E>(this.#handle)
  }

  apply<T>(fn: (tx: Transaction<In>) => Sync<T>): WriteHandle<T> {
    return this.#writer.apply(fn as (tx: Transaction<never>) => T)
  }

  transact<T>(fn: (tx: Transaction<In>) => Sync<T>, options?: TransactOptions): Promise<Commit<T>>
  transact<P, T>(phases: Phases<In, P, T>, options?: PhasesOptions): Promise<Commit<T>>
  transact<P, T>(work: ((tx: Transaction<In>) => Sync<T>) | Phases<In, P, T>, options?: PhasesOptions): Promise<Commit<T>> {
    if (typeof work === 'object' && work !== null) return this.#writer.transactPhases(work, options)
    return this.#writer.transact(work as (tx: Transaction<never>) => T, options)
  }

  check<P>(checks: Checks<P>, options?: CheckOptions): Promise<CheckReport> {
    return this.#writer.examine(checks, options)
  }

  writeTxn(): WriteTxn<In> {
    return this.#writer.writeTxn()
  }

  append(events: In | readonly In[], options?: WriteOptions): Promise<CommitInfo> {
    return this.#writer.appendAll(Array.isArray(events) ? events : [events], options)
  }

  appendAll(events: readonly In[], options?: WriteOptions): Promise<CommitInfo> {
    return this.#writer.appendAll(events, options)
  }

  events(range?: EventRange): EventReader<E> {
    this.#handle.check()
    return new EmbeddedEventReader<E>(this.#events, range)
  }

  follow(options?: FollowOptions): Follower<E> {
    this.#handle.check()
    return new EmbeddedFollower<E>(this.#handle, this.#events, options)
  }

  trimEvents(range: { before: EventId }): Promise<number> {
    return this.#writer.begun(async () => {
      if (typeof range !== 'object' || range === null) throw invalidArgument('range', 'options are an object')
      checkOptions(range, TRIM_OPTIONS, 'range')
      const { before } = range
      if (before === undefined) throw invalidArgument('range.before', 'an integer from 0 on is needed')
      checkInteger(before, 0, 'range.before')
      return this.#writer.change((cold) => cold.trimEvents(this.#handle.id, before))
    })
  }

  rotateEvents(): Promise<string | undefined> {
    return this.#controlled(async (cold) => (await cold.rotateEvents(this.#handle.id)) ?? undefined)
  }

  eventSegments(): EventSegments {
    this.#handle.check()
    return new HeldEventSegments(this.#handle)
  }

  seal(): Promise<EventId> {
    return this.#controlled((cold) => cold.sealStore(this.#handle.id))
  }

  unseal(): Promise<void> {
    return this.#controlled((cold) => cold.unsealStore(this.#handle.id))
  }

  get isPaused(): boolean {
    this.#handle.check()
    return this.#handle.isPaused
  }

  pauseIngestion(options?: PauseOptions): Promise<Pause> {
    return this.#writer.begun(async () => {
      this.#writer.check()
      return pause(this.#handle, options)
    })
  }

  resumeIngestion(): void {
    this.#handle.check()
    this.#handle.environment.call((cold) => cold.resumeAll(this.#handle.id))
  }

  event(id: EventId): EventRecord<E> | undefined {
    this.#handle.check()
    if (id === undefined) throw invalidArgument('id', 'the id of an event is needed')
    checkInteger(id, 0, 'id')
    return readEvent(this.#events, id) as EventRecord<E> | undefined
  }

  meta(): StoreMeta {
    this.#handle.check()
    const { storeId, formatVersion, createdAt, updatedAt, nextEventId, sealedEventId } = this.#handle.environment.call((cold) => cold.storeMeta(this.#handle.id))
    return { storeId, formatVersion, createdAt, updatedAt, nextEventId, ...(sealedEventId == null ? {} : { sealedEventId }) }
  }

  stats(): StoreStats {
    this.#handle.check()
    const stats = this.#handle.environment.call((cold) => cold.storeStats(this.#handle.id))
    const { files, bytes, groups, flushes, groupSizes, flushMicros } = stats.journal
    return { ...stats, journal: { files, bytes, groups, flushes, groupSizes, flushMicros } }
  }

  sync(options?: SignalOptions): Promise<void> {
    return this.#reach(DURABLE, options)
  }

  flush(options?: SignalOptions): Promise<void> {
    return this.#reach(FLUSHED, options)
  }

  async verify(options?: SignalOptions): Promise<VerifyReport> {
    const signal = checkedSignal(options)
    this.#handle.check()
    throwIfAborted(signal)
    return verify(this.#handle, this.path, signal)
  }

  backupTo(dir: string | URL, options?: BackupOptions): Promise<BackupInfo> {
    const backup = backUp(this.#handle, dir, options)
    const over: Promise<void> = backup.then(
      () => void this.#backups.delete(over),
      () => void this.#backups.delete(over), // the caller hears of it
    )
    this.#backups.add(over)
    return backup
  }

  close(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing
    const closing = new Deferred<void>()
    this.#closing = closing.promise // first: what this ends calls the user's code, which may close too
    this.#close().then(closing.resolve, closing.reject)
    return closing.promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    this.#handle.beginClosing()
    try {
      await this.#handle.finishClosing()
    } finally {
      await Promise.all(this.#backups) // given up by now: what they had begun goes
    }
  }

  /** Changes the store's condition. */
  #controlled<T>(change: (cold: ColdCalls) => Promise<T>): Promise<T> {
    return this.#writer.begun(async () => {
      this.#writer.check()
      return this.#handle.environment.callAsync(change)
    })
  }

  /** Resolves when everything that is applied now has reached a level. */
  #reach(level: Level, options: SignalOptions | undefined): Promise<void> {
    const { environment, shared } = this.#handle
    return environment.turns.within(async () => {
      const signal = checkedSignal(options)
      this.#handle.check()
      throwIfAborted(signal)
      const seq = shared.applied
      const reached = shared.reached(level, seq)
      if (reached === undefined) return
      shared.confirm(level, seq, await (signal === undefined ? reached : shared.aborts.race(reached, signal)))
    })
  }
}

function checkedSignal(options: SignalOptions | undefined): AbortSignal | undefined {
  checkOptions(options, SIGNAL_OPTIONS, 'options')
  return signalOf(options)
}

function eventSource(handle: StoreHandle): EventSource {
  const { environment, events, id } = handle
  return {
    environment,
    events,
    reader: id,
    check: () => handle.check(),
    nextEventId: () => environment.call((cold) => cold.nextEventId(id)),
  }
}

function entry<K extends object, V>(map: WeakMap<K, V>, key: K, make: () => V): V {
  let value = map.get(key)
  if (value === undefined) map.set(key, (value = make()))
  return value
}
