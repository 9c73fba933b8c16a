// One open() of a store, without its public face: what the store object, its collections, snapshots and iterators hold on to together. When none of
// them is left, the handle is closed in the background.
import type { Codec, KeyCodec } from '../codecs/codec.ts'
import { PayloadCodec } from '../codecs/payload-codec.ts'
import { closed, errorOf, invalidArgument } from '../errors.ts'
import { isWellFormed } from '../internal/bytes.ts'
import { Lease } from '../internal/lease.ts'
import { LockClient } from '../lock-manager/lock-client.ts'
import type { OpenedStore } from '../native/binding.ts'
import type { Environment } from '../native/environment.ts'
import { HAS_FAILED, IS_PAUSED, IS_SEALED } from '../native/flags.ts'
import type { KeyBounds } from './key-bounds.ts'
import { KeySpace, type SpaceOwner } from './key-space.ts'
import { NativeCursor } from './reading/cursor.ts'
import { PointReader } from './reading/point-reader.ts'
import type { RangeSource } from './reading/range.ts'
import type { SharedStore } from './shared-store.ts'
import { OpenReaders } from './watching/open-readers.ts'

/** What a handle is made from. */
export interface HandleOptions {
  readonly id: number
  /** The store's folder, for messages. */
  readonly path: string
  readonly limits: OpenedStore['limits']
  readonly readersWarnAfterMs: number
  readonly events: PayloadCodec
  /** The level that writes wait for unless they say otherwise: 0 applied, 1 written, 2 durable. */
  readonly rank: 0 | 1 | 2
}

/** A handle of a store. */
export class StoreHandle implements RangeSource, SpaceOwner {
  readonly environment: Environment
  readonly shared: SharedStore
  /** Native code's number for the handle. */
  readonly id: number
  readonly limits: OpenedStore['limits']
  readonly storeKey: number
  readonly rank: 0 | 1 | 2
  readonly events: PayloadCodec
  /** What ends with the handle: snapshots and cursors. */
  readonly leases: OpenReaders
  readonly reader: PointReader
  /** Called when the handle closes. */
  readonly #closings = new Set<() => void>()
  readonly #slots = new Map<string, number>()
  readonly #lease: Lease
  #locks: LockClient | undefined
  /** What forbids writing, in memory that native code keeps current. */
  readonly #condition: Uint32Array
  /** The newest applied commit of all threads, in memory that native code keeps current. */
  readonly #applied: BigUint64Array
  #isClosed = false

  constructor(environment: Environment, shared: SharedStore, options: HandleOptions) {
    this.environment = environment
    this.shared = shared
    this.id = options.id
    this.limits = options.limits
    this.storeKey = shared.key
    this.rank = options.rank
    this.events = options.events
    this.reader = new PointReader(environment, options.id)
    this.leases = new OpenReaders(options.path, options.readersWarnAfterMs)
    this.#lease = leaseOf(this, shared, this.leases)
    this.#condition = environment.call((cold) => cold.storeCondition(options.id))
    this.#applied = environment.call((cold) => cold.storeApplied(options.id))
    shared.addHandle(options.id)
  }

  /** The newest applied commit of all threads; costs no native call. If it is the same before and after a read, nothing has changed in between. */
  get applied(): bigint {
    return Atomics.load(this.#applied, 0)
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** @throws `ERR_CLOSED` */
  check(): void {
    if (this.#isClosed) throw closed('store')
  }

  /** @throws `ERR_CLOSED`, `ERR_POISONED`: no commit would be acknowledged */
  checkWhole(): void {
    if (this.#isClosed) throw closed('store')
    if (((this.#condition[0] as number) & HAS_FAILED) !== 0) this.shared.look()
    this.shared.checkWritable()
  }

  /** The client that takes the store's locks for this handle. */
  get locks(): LockClient {
    this.check()
    return (this.#locks ??= new LockClient(
      this.environment,
      this.environment.call((cold) => cold.storeLocks(this.id)),
      this,
    ))
  }

  /** @throws `ERR_CLOSED`, `ERR_POISONED`, `ERR_SEALED`: a write would be refused */
  checkWritable(): void {
    this.checkWhole()
    if (((this.#condition[0] as number) & IS_SEALED) === 0) return
    const { sealedEventId } = this.environment.call((cold) => cold.storeMeta(this.id))
    if (sealedEventId != null) throw errorOf('ERR_SEALED', `the store is sealed: eventId=${sealedEventId}`, { eventId: sealedEventId })
  }

  /** Whether ingestion is paused. */
  get isPaused(): boolean {
    return ((this.#condition[0] as number) & IS_PAUSED) !== 0
  }

  /** Whether new writes have to queue. */
  get mustQueue(): boolean {
    return this.isPaused || this.shared.mustQueue
  }

  /** A key space. @throws `ERR_INVALID_ARGUMENT` for what is no codec */
  space(name: string, keys: KeyCodec<unknown>, values: Codec<unknown>): KeySpace<unknown, unknown> {
    checkName(name)
    return new KeySpace(this, name, keys, new PayloadCodec(values, 'value', name))
  }

  /** Native code's number for a collection with these codecs. */
  slot(name: string, keys: string, values: string): number {
    const id = JSON.stringify([name, keys, values])
    let slot = this.#slots.get(id)
    if (slot === undefined) {
      slot = this.environment.call((cold) => cold.collectionSlot(this.id, name, keys, values))
      this.#slots.set(id, slot)
    }
    return slot
  }

  /**
   * The slot of a collection made by any handle of the same store.
   *
   * @throws `ERR_INVALID_ARGUMENT` when it belongs to another store
   */
  slotOf<K, V>(space: KeySpace<K, V>): number {
    return space.owner === this ? space.slot : this.#slotOfOther(space)
  }

  #slotOfOther<K, V>(space: KeySpace<K, V>): number {
    if (space.owner.storeKey !== this.storeKey) throw invalidArgument('collection', 'the collection belongs to another store')
    return this.slot(space.name, space.keyName, space.values.name)
  }

  get<K, V>(space: KeySpace<K, V>, key: K): V | undefined {
    this.check()
    const { open } = this.shared
    if (open !== undefined) return open.get(space, key)
    const slot = this.slotOf(space)
    const encoded = space.readableKey(key)
    return encoded === undefined ? undefined : this.reader.get(space.values, slot, encoded)
  }

  has<K, V>(space: KeySpace<K, V>, key: K): boolean {
    this.check()
    const { open } = this.shared
    if (open !== undefined) return open.has(space, key)
    const slot = this.slotOf(space)
    const encoded = space.readableKey(key)
    return encoded !== undefined && this.reader.has(slot, encoded)
  }

  getMany<K, V>(space: KeySpace<K, V>, keys: readonly K[]): (V | undefined)[] {
    this.check()
    const { open } = this.shared
    if (open !== undefined) return open.getMany(space, keys)
    return this.reader.getMany(space, this.slotOf(space), keys, (read) => this.#atOnePoint(read))
  }

  current(): RangeSource {
    this.check()
    return this.shared.open ?? this
  }

  openCursor<K, V>(space: KeySpace<K, V>, bounds: KeyBounds, keysOnly: boolean): NativeCursor<K, V> {
    const { environment, id: reader, leases } = this
    return new NativeCursor({ environment, reader, slot: this.slotOf(space), leases }, space, bounds, bounds.limit, keysOnly)
  }

  count<K, V>(space: KeySpace<K, V>, bounds: KeyBounds): number {
    return countEntries(this.environment, this.id, this.slotOf(space), bounds)
  }

  /** Calls `closing` when the handle closes, `aborted` when the signal aborts, until the returned function is called; neither within this call. */
  listen(closing: () => void, signal?: AbortSignal, aborted: (reason: unknown) => void = closing): () => void {
    this.#closings.add(closing)
    const forget = signal === undefined ? undefined : this.shared.aborts.add(signal, aborted)
    return () => {
      this.#closings.delete(closing)
      forget?.()
    }
  }

  /** Refuses work from now on, and releases what ends with the handle. */
  beginClosing(): void {
    this.#isClosed = true
    const { open } = this.shared
    if (open !== undefined && open.handle === this) {
      open.doom(closed('store'))
      open.abort()
    }
    this.shared.refuseOf(this, () => closed('store'))
    this.#locks?.close()
    for (const lease of this.leases) lease.close()
    for (const closing of this.#closings) closing()
  }

  /** Closes the native handle. */
  async finishClosing(): Promise<void> {
    this.#lease.settle()
    await closeNative(this.shared, this.id)
  }

  #atOnePoint<T>(read: (reader: PointReader) => T): T {
    const { environment } = this
    const { reader } = environment.call((cold) => cold.openSnapshot(this.id))
    try {
      return read(new PointReader(environment, reader))
    } finally {
      environment.cold.releaseReader(reader)
    }
  }
}

/** @throws `ERR_INVALID_ARGUMENT` when a collection cannot have this name */
export function checkName(name: unknown): asserts name is string {
  if (typeof name === 'string' && name !== '' && isWellFormed(name)) return
  throw invalidArgument('name', 'the name of a collection is a string that is not empty and has no lone surrogates')
}

/** How many entries a range has, counted natively. */
export function countEntries(environment: Environment, reader: number, slot: number, bounds: KeyBounds): number {
  const { hot } = environment
  const cursor = hot.rangeOpen(reader, slot, bounds.packed(true), bounds.limit === Infinity ? -1 : bounds.limit)
  if (cursor < 0) throw environment.error()
  return environment.call((cold) => cold.rangeCount(cursor))
}

async function closeNative(shared: SharedStore, id: number): Promise<void> {
  const { environment } = shared
  let failure: Error | undefined
  shared.closingHandle(id)
  try {
    shared.observer.publish(await environment.callAsync((cold) => cold.closeStore(id)))
  } catch (error) {
    failure = error as Error
  }
  shared.removeHandle(id, failure)
  if (failure !== undefined) throw failure
}

/** A separate function: the lease must not keep alive the handle whose end it waits for. */
function leaseOf(handle: StoreHandle, shared: SharedStore, leases: Set<Lease>): Lease {
  return new Lease('store', handle.id, handle, undefined, (id) => {
    for (const lease of leases) lease.close()
    closeNative(shared, id).catch(() => {}) // no caller is left to get the error
  })
}
