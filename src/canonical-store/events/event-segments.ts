// The closed segments of a store's event log, held while they are archived. Native code keeps their files; a lease releases them.
import { closed, invalidArgument } from '../../errors.ts'
import type { EventSegment } from '../../event-log/log-types.ts'
import type { Lease } from '../../internal/lease.ts'
import type { EventSegments } from '../api/events.ts'
import { heldLease } from '../held-lease.ts'
import type { StoreHandle } from '../store-handle.ts'

/** Segments that are held. */
export class HeldEventSegments implements EventSegments {
  readonly #handle: StoreHandle
  readonly #segments: readonly EventSegment[]
  readonly #lease: Lease

  constructor(handle: StoreHandle) {
    const { environment, id } = handle
    const { held, segments } = environment.call((cold) => cold.holdSegments(id))
    this.#handle = handle
    this.#segments = segments
    this.#lease = heldLease('segments', held, this, handle, (cold, store, number) => cold.releaseSegments(store, number))
  }

  [Symbol.iterator](): IterableIterator<EventSegment> {
    this.#check()
    return this.#segments[Symbol.iterator]()
  }

  async checksum(segment: EventSegment): Promise<number> {
    this.#check()
    if (!this.#segments.includes(segment)) throw invalidArgument('segment', 'it is none of those that are held')
    return this.#handle.environment.callAsync((cold) => cold.segmentChecksum(this.#handle.id, this.#lease.id, segment.firstEventId))
  }

  release(): void {
    this.#lease.close()
  }

  [Symbol.dispose](): void {
    this.release()
  }

  #check(): void {
    this.#handle.check()
    if (!this.#lease.open) throw closed('list of segments')
  }
}
