// Events as users see them: ranges of them, reading them, following them. Interfaces only.
import type { Durability } from '../../durability.ts'
import type { EventId, EventSegment } from '../../event-log/log-types.ts'

/** Selects events and their order. All conditions hold together. */
export interface EventRange {
  /** Inclusive; 0 or undefined: the oldest. */
  from?: EventId | undefined
  /** The last id consumed, 0 for none; not together with `from`. Beyond the newest event it is `ERR_CONFLICT` (`expected`, `actual`): the log has another history. */
  after?: EventId | undefined
  /** Exclusive. */
  to?: EventId | undefined
  /** Ms since the epoch, inclusive. */
  since?: number | undefined
  /** From the newest to the oldest. @default false */
  reverse?: boolean | undefined
  /** How many at most: an integer >= 0, or Infinity. With `reverse`, the last ones. @default Infinity */
  limit?: number | undefined
}
/** An event as it is stored. `timestamp` is that of its commit, in ms since the epoch, and never goes backwards. */
export interface EventRecord<E> {
  readonly id: EventId
  readonly timestamp: number
  readonly event: E
}
/** A view of events that can be iterated again; each iteration fixes its end when it starts. */
export interface EventReader<E> extends Iterable<EventRecord<E>> {
  /**
   * The same events in pages, as many at a time as one read gives; never an empty page. If an event cannot be decoded, the events before it come first, then
   * its `ERR_CODEC` with its `eventId`.
   *
   * @example
   * ```ts
   * for (const page of store.events().pages()) console.log(page.length, 'events at once')
   * ```
   */
  pages(): Iterable<EventRecord<E>[]>
  /**
   * Their present number.
   *
   * @example
   * ```ts
   * console.log(store.events({ since: Date.now() - 60_000 }).count(), 'events in the last minute')
   * ```
   */
  count(): number
}

/**
 * The closed segments of the event log, oldest first, for archiving. Their files do not change any more, and stay until this is released, whatever is trimmed
 * or no longer retained until then.
 */
export interface EventSegments extends Iterable<EventSegment>, Disposable {
  /**
   * The CRC-32C of the whole file of one of them. Reads it; rejects with `ERR_IO`.
   *
   * @example
   * ```ts
   * await store.rotateEvents()
   * const segments = store.eventSegments()
   * try {
   *   for (const segment of segments) console.log(segment.path, await segments.checksum(segment))
   * } finally {
   *   segments.release()
   * }
   * ```
   */
  checksum(segment: EventSegment): Promise<number>
  /**
   * Lets the files be removed. The second call does nothing.
   *
   * @example
   * ```ts
   * import { copyFile } from 'node:fs/promises'
   * import { basename } from 'node:path'
   *
   * await store.rotateEvents()
   * const segments = store.eventSegments()
   * try {
   *   for (const { path } of segments) await copyFile(path, basename(path))
   * } finally {
   *   segments.release()
   * }
   * ```
   */
  release(): void
}

/** How to follow events. */
export interface FollowOptions {
  /** The first event; 0 or undefined: the oldest. Below the oldest: `ERR_EVENTS_TRIMMED`. @default 0 */
  from?: EventId | undefined
  /**
   * The last id consumed, which a consumer keeps as its cursor; 0: none. Not together with `from`. Beyond the newest event, following begins with
   * `ERR_CONFLICT` (`expected`: the cursor, `actual`: the newest event): an older copy of the store was put back, and the ids between will be given again.
   *
   * @default 0
   */
  after?: EventId | undefined
  /** The level that an event must have reached to be seen; with `durable` no power loss undoes what a consumer has seen. @default 'durable' */
  durability?: Durability | undefined
  /** Ends the following with the signal's reason. @default none */
  signal?: AbortSignal | undefined
  /** Events per read, at most: from 1. @default 1024 */
  batch?: number | undefined
}
/**
 * The existing events, then new ones as they come, without polling and without end. Iterating again starts over. A slow consumer holds one page. Ends when the
 * store closes. Throws the signal's reason, `ERR_EVENTS_TRIMMED` when trimming has overtaken it, `ERR_POISONED` when writing has failed and no more events will
 * come. A waiting follower does not keep the main thread alive, but keeps a worker alive.
 */
export interface Follower<E> extends AsyncIterable<EventRecord<E>> {
  /**
   * The same events in pages, as many at a time as one read gives; never an empty page. If an event cannot be decoded, the events before it come first, then
   * its `ERR_CODEC` with its `eventId`.
   *
   * @example
   * ```ts
   * for await (const page of store.follow({ after: 0 }).pages()) {
   *   console.log(page.map(({ id }) => id))
   *   break // a consumer goes on for ever
   * }
   * ```
   */
  pages(): AsyncIterable<EventRecord<E>[]>
}
