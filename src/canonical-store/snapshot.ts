// A read transaction: one point in time, held until it is released, by its user, by the end of its handle, or by the garbage collector.
import type { PayloadCodec } from '../codecs/payload-codec.ts'
import { closed } from '../errors.ts'
import type { EventId } from '../event-log/log-types.ts'
import { Lease } from '../internal/lease.ts'
import type { Environment } from '../native/environment.ts'
import type { Collection, KeyRange, Range } from './api/collection.ts'
import type { Seq } from './api/commit.ts'
import type { EventRange, EventReader } from './api/events.ts'
import type { Snapshot } from './api/snapshot.ts'
import { spaceOf } from './collection.ts'
import type { EventSource } from './events/event-pass.ts'
import { EmbeddedEventReader } from './events/event-reader.ts'
import { KeyBounds, RANGE_OPTIONS } from './key-bounds.ts'
import type { KeySpace } from './key-space.ts'
import { NativeCursor } from './reading/cursor.ts'
import { PointReader } from './reading/point-reader.ts'
import { EmbeddedRange, type RangeSource } from './reading/range.ts'
import { countEntries, type StoreHandle } from './store-handle.ts'

/** What a snapshot, its ranges and its event readers share. */
export class SnapshotHandle implements RangeSource, EventSource {
  readonly environment: Environment
  readonly store: StoreHandle
  readonly events: PayloadCodec
  readonly seq: Seq
  readonly endOfEvents: EventId
  readonly points: PointReader
  readonly lease: Lease
  readonly #cursors = new Set<Lease>()

  constructor(store: StoreHandle) {
    store.check()
    const { reader, seq, nextEventId } = store.environment.call((cold) => cold.openSnapshot(store.id))
    this.environment = store.environment
    this.store = store
    this.events = store.events
    this.seq = seq
    this.endOfEvents = nextEventId
    this.points = new PointReader(store.environment, reader)
    this.lease = leaseOf(this, reader, store, this.#cursors)
  }

  get reader(): number {
    return this.points.id
  }

  check(): void {
    if (!this.lease.open) throw closed('snapshot')
  }

  current(): this {
    return this
  }

  nextEventId(): EventId {
    return this.endOfEvents
  }

  openCursor<K, V>(space: KeySpace<K, V>, bounds: KeyBounds, keysOnly: boolean): NativeCursor<K, V> {
    const place = { environment: this.environment, reader: this.reader, slot: this.store.slotOf(space), leases: this.#cursors }
    return new NativeCursor(place, space, bounds, bounds.limit, keysOnly)
  }

  count<K, V>(space: KeySpace<K, V>, bounds: KeyBounds): number {
    return countEntries(this.environment, this.reader, this.store.slotOf(space), bounds)
  }
}

/** The result of `store.snapshot()`. */
export class EmbeddedSnapshot<E> implements Snapshot<E> {
  readonly #handle: SnapshotHandle

  constructor(store: StoreHandle) {
    this.#handle = new SnapshotHandle(store)
  }

  get seq(): Seq {
    this.#handle.check()
    return this.#handle.seq
  }

  get nextEventId(): EventId {
    this.#handle.check()
    return this.#handle.endOfEvents
  }

  get<K, V>(from: Collection<K, V, never>, key: NoInfer<K>): V | undefined {
    const { space, slot } = this.#place(from)
    const encoded = space.readableKey(key)
    return encoded === undefined ? undefined : this.#handle.points.get(space.values, slot, encoded)
  }

  getMany<K, V>(from: Collection<K, V, never>, keys: readonly NoInfer<K>[]): (V | undefined)[] {
    const { space, slot } = this.#place(from)
    return this.#handle.points.getMany(space, slot, keys, undefined)
  }

  has<K, V>(from: Collection<K, V, never>, key: NoInfer<K>): boolean {
    const { space, slot } = this.#place(from)
    const encoded = space.readableKey(key)
    return encoded !== undefined && this.#handle.points.has(slot, encoded)
  }

  range<K, V>(from: Collection<K, V, never>, range?: KeyRange<NoInfer<K>>): Range<K, V> {
    const { space } = this.#place(from)
    return new EmbeddedRange(this.#handle, space, KeyBounds.of(space, range, RANGE_OPTIONS))
  }

  events(range?: EventRange): EventReader<E> {
    this.#handle.check()
    return new EmbeddedEventReader<E>(this.#handle, range)
  }

  release(): void {
    this.#handle.lease.close()
  }

  [Symbol.dispose](): void {
    this.release()
  }

  #place<K, V>(from: Collection<K, V, never>): { space: KeySpace<K, V>; slot: number } {
    const space = spaceOf(from)
    this.#handle.check()
    return { space, slot: this.#handle.store.slotOf(space) }
  }
}

/** A separate function: the lease must not keep alive the handle whose end it waits for. */
function leaseOf(holder: SnapshotHandle, reader: number, store: StoreHandle, cursors: Set<Lease>): Lease {
  const { environment } = store
  return new Lease('snapshot', reader, holder, store.leases, (id) => {
    for (const cursor of cursors) cursor.close()
    environment.cold.releaseReader(id)
  })
}
