// A snapshot as its users see it: interfaces only.
import type { EventId } from '../../event-log/log-types.ts'
import type { Seq } from './commit.ts'
import type { EventRange, EventReader } from './events.ts'
import type { Reader } from './reader.ts'

/** One point in time of a store, until it is released. It occupies memory and disk space: release it soon. */
export interface Snapshot<E> extends Reader, Disposable {
  /** The newest commit that it sees. */
  readonly seq: Seq
  /** The first event id that it does not see. */
  readonly nextEventId: EventId
  /**
   * The events at this point in time.
   *
   * @example
   * ```ts
   * for (const { id, event } of snapshot.events({ after: 0 })) console.log(id, event.cents)
   * ```
   */
  events(range?: EventRange): EventReader<E>
  /**
   * Ends it; a second call does nothing. After that every call is `ERR_CLOSED`.
   *
   * @example
   * ```ts
   * const before = store.snapshot()
   * try {
   *   console.log(before.range(accounts).count())
   * } finally {
   *   before.release()
   * }
   * ```
   */
  release(): void
}
