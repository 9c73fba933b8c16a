// The event log on its own: immutable events with contiguous ids in a folder that has one owner. Arguments are checked here; native code does the work.
import { invalidArgument } from '../errors.ts'
import { copyOf, isShared } from '../internal/bytes.ts'
import { MISSING, TOO_BIG } from '../native/binding.ts'
import { verified } from '../native/verification.ts'
import type { VerifyReport } from '../verify-report.ts'
import { checkedEventBytes, checkId } from './check-event.ts'
import { EventRun } from './event-run.ts'
import type { LogHandle } from './log-handle.ts'
import type { EventId, EventLogOptions, EventLogRecovery, EventLogStats, EventSegment } from './log-types.ts'
import { openLog } from './open-log.ts'
import { packEvents } from './packed-events.ts'

/**
 * A log of immutable events with contiguous ids, stored in segment files of checksummed frames. Appending and reading are synchronous; calls that can take long return
 * promises. One owner at a time: a second `open` of the folder, in this process or another, is `ERR_LOCKED`.
 *
 * Damage is `ERR_CORRUPT` with `file` and `offset`, and is never taken for the end of the log. After a failed write or flush, other than on a full device,
 * every further one is `ERR_POISONED`; reading goes on. Any use after `close()` is `ERR_CLOSED`.
 *
 * Archiving: `rotate()` closes the segment that is being written, `segments()` lists the closed ones, which can be copied as files, and `deleteRange` removes events.
 * `open(folder, { readOnly: true })` reads a folder with copies of consecutive segments.
 *
 * @example
 * ```ts
 * const log = await EventLog.open('./events')
 * log.appendWithId(log.nextEventId, Buffer.from('hello'))
 * for (const [id, bytes] of log.iterRange(0)) console.log(id, bytes.toString())
 * await log.close()
 * ```
 */
export class EventLog implements AsyncDisposable {
  readonly #handle: LogHandle
  readonly #recovery: EventLogRecovery
  readonly #path: string

  private constructor(handle: LogHandle, recovery: EventLogRecovery, path: string) {
    this.#handle = handle
    this.#recovery = recovery
    this.#path = path
  }

  /**
   * Opens the log in a folder, and makes it if there is none.
   *
   * Rejects with `ERR_INVALID_ARGUMENT`; `ERR_NOT_FOUND` (`create: false` or `readOnly`); `ERR_LOCKED` (with the owner's `pid`); `ERR_CORRUPT` for damage other than a
   * torn end, or for any damage if the log was closed cleanly; `ERR_FORMAT`, `ERR_FILE_SYSTEM`, `ERR_NO_SPACE`, `ERR_IO`; `ERR_NATIVE_MISSING`,
   * `ERR_VERSION_MISMATCH`.
   *
   * @example
   * ```ts
   * const archive = await EventLog.open('./archive', { durability: 'durable', compression: 'zstd' })
   * console.log(archive.recovery.wasClosed)
   * await archive.close()
   * ```
   */
  static async open(dir: string | URL, options?: EventLogOptions): Promise<EventLog> {
    const { handle, recovery, path } = await openLog(dir, options)
    return new EventLog(handle, recovery, path)
  }

  /** The log's folder, absolute. */
  get path(): string {
    this.#handle.check()
    return this.#path
  }

  /** The id that the next event must have. */
  get nextEventId(): EventId {
    return this.#handle.ends()[1] as number
  }

  /** The first event; `nextEventId` for an empty log. */
  get oldestEventId(): EventId {
    return this.#handle.ends()[0] as number
  }

  /** The last event; `nextEventId - 1` for an empty log. */
  get newestEventId(): EventId {
    return this.nextEventId - 1
  }

  /** What opening found: whether the log had been closed, and what was cut off. */
  get recovery(): EventLogRecovery {
    this.#handle.check()
    return structuredClone(this.#recovery)
  }

  /**
   * Appends an event; returns when it has reached the log's durability. `bytes` are copied at the call.
   *
   * @throws `ERR_EVENT_ID_GAP` (`expected`, `actual`) unless `id` is `nextEventId`; `ERR_INVALID_ARGUMENT`, also when the log is read only; `ERR_LIMIT`: nothing was
   * appended. `ERR_NO_SPACE`: nothing was appended; the call succeeds again when there is space. `ERR_IO`, `ERR_POISONED`.
   *
   * @example
   * ```ts
   * log.appendWithId(log.nextEventId, Buffer.from('hello'))
   * ```
   */
  appendWithId(id: EventId, bytes: Uint8Array): void {
    const { environment, maxEventBytes } = this.#checked()
    checkId(id, 'id')
    checkedEventBytes(bytes, maxEventBytes, 'bytes')
    // Native code reads the memory in place, so nobody else may write to it.
    const own = isShared(bytes) ? copyOf(bytes) : bytes
    this.#handle.answer(environment.hot.logAppend(this.#handle.id, id, own))
  }

  /**
   * Appends events with the ids from `firstId` on, all with the present time; returns when they have reached the log's durability: with `durable`, one flush
   * for all. At most 1 GiB together.
   *
   * @throws as {@link EventLog.appendWithId}. After `ERR_NO_SPACE` `nextEventId` tells how many of the events were appended.
   *
   * @example
   * ```ts
   * log.appendBatchWithIds(log.nextEventId, [Buffer.from('hello'), Buffer.from('world')])
   * ```
   */
  appendBatchWithIds(firstId: EventId, events: readonly Uint8Array[]): void {
    const { environment, maxEventBytes } = this.#checked()
    checkId(firstId, 'firstId')
    if (!Array.isArray(events)) throw invalidArgument('events', 'an array of events is needed')
    const packed = packEvents(events as readonly Uint8Array[], maxEventBytes)
    this.#handle.answer(environment.hot.logAppendBatch(this.#handle.id, firstId, packed, packed.length))
  }

  /**
   * The event with this id; `undefined` when the log does not hold it, also if it was deleted.
   *
   * @example
   * ```ts
   * console.log(log.get(1)?.toString()) // one
   * ```
   */
  get(id: EventId): Buffer | undefined {
    const { environment, id: log } = this.#checked()
    checkId(id, 'id')
    const { hot, cold, slab } = environment
    slab.prepare()
    const length = hot.logGet(log, id, slab.memory, slab.offset)
    if (length >= 0) return slab.take(length)
    if (length === MISSING) return undefined
    if (length === TOO_BIG) return cold.takeValue()
    throw environment.error()
  }

  /**
   * The events from `start` (0: the oldest) up to but not including `end` (left out: to the end), in order. A lazy view that can be iterated again: each
   * iteration gives the events that exist when it begins, even if others are appended or segments are rotated during it. It throws `ERR_EVENTS_TRIMMED`
   * (`requested`, `oldest`) when it begins below the oldest event, or `deleteRange` has overtaken it; `ERR_CORRUPT`; and `ERR_CLOSED` at the next step after
   * the log is closed.
   *
   * @example
   * ```ts
   * for (const [id, bytes] of log.iterRange(log.oldestEventId)) console.log(id, bytes.toString())
   * ```
   */
  iterRange(start: EventId, end?: EventId): Iterable<[EventId, Buffer]> {
    const handle = this.#checked()
    checkId(start, 'start')
    if (end !== undefined && end !== Infinity) checkId(end, 'end')
    return { [Symbol.iterator]: () => new EventRun(handle, start, end ?? Infinity) }
  }

  /**
   * Removes the events from `start` to `end`, included, and returns how many there were; durable when it resolves. Only the oldest events can be removed:
   * `start` is at most `oldestEventId`, else `ERR_INVALID_ARGUMENT`. Space is freed by whole segments. The next event's id stays the same.
   *
   * @example
   * ```ts
   * const deleted = await log.deleteRange(0, 1)
   * console.log(deleted, log.oldestEventId) // 1 2
   * ```
   */
  async deleteRange(start: EventId, end: EventId): Promise<number> {
    const { id } = this.#checked()
    checkId(start, 'start')
    checkId(end, 'end')
    return this.#handle.callAsync((cold) => cold.logDeleteRange(id, start, end))
  }

  /**
   * Closes the segment that is being written and begins the next one. Returns the path of the closed segment, whose file does not change any more. If nothing was
   * appended since the last one was closed, returns that one's path; `undefined` when no closed segment holds an event, because none was ever appended or all are
   * deleted.
   *
   * @example
   * ```ts
   * const file = await log.rotate()
   * console.log(file) // a file that does not change any more
   * ```
   */
  async rotate(): Promise<string | undefined> {
    const { id } = this.#checked()
    return (await this.#handle.callAsync((cold) => cold.logRotate(id))) ?? undefined
  }

  /**
   * Flushes everything that was appended: it survives power loss once this resolves.
   *
   * @example
   * ```ts
   * log.appendWithId(log.nextEventId, Buffer.from('hello'))
   * await log.sync() // power may fail now
   * ```
   */
  async sync(): Promise<void> {
    const { id } = this.#checked()
    return this.#handle.callAsync((cold) => cold.logSync(id))
  }

  /**
   * The closed segments that hold events, oldest first; reads nothing. The newest segment is never among them: see {@link EventLog.rotate}.
   *
   * @example
   * ```ts
   * await log.rotate()
   * for (const { path, firstEventId, lastEventId } of log.segments()) console.log(path, firstEventId, lastEventId)
   * ```
   */
  segments(): EventSegment[] {
    const { id } = this.#checked()
    return this.#handle.call((cold) => cold.logSegments(id))
  }

  /**
   * The CRC-32C of a closed segment's whole file, to compare a copy with; reads the file once. Rejects with `ERR_INVALID_ARGUMENT` when `segment` is none of
   * `segments()`, `ERR_EVENTS_TRIMMED` when it is deleted before the end.
   *
   * @example
   * ```ts
   * await log.rotate()
   * for (const segment of log.segments()) console.log(segment.path, await log.checksum(segment))
   * ```
   */
  async checksum(segment: EventSegment): Promise<number> {
    const { id } = this.#checked()
    const first: unknown = (segment as EventSegment | undefined)?.firstEventId
    checkId(first, 'segment')
    return this.#handle.callAsync((cold) => cold.logChecksum(id, first))
  }

  /**
   * Reads and checks everything that the log's files promise. Damage is reported, never thrown. Reading and appending go on during it.
   *
   * @example
   * ```ts
   * const { ok, problems } = await log.verify()
   * for (const { file, offset, message } of problems) console.error(file, offset, message)
   * ```
   */
  async verify(): Promise<VerifyReport> {
    const verification = this.#handle.call((cold) => cold.startLogVerification(this.#handle.id))
    return verified(this.#handle, verification, this.#path)
  }

  /**
   * The log in numbers.
   *
   * @example
   * ```ts
   * const { eventCount, totalBytes, fileCount } = log.stats()
   * ```
   */
  stats(): EventLogStats {
    const { id } = this.#checked()
    const stats = this.#handle.call((cold) => cold.logStats(id))
    return { ...stats, newestEventId: this.newestEventId }
  }

  /**
   * Flushes, notes on disk that the log was closed, and gives the folder back in any case; a second call does nothing. Rejects with `ERR_POISONED` when writing had
   * failed, `ERR_IO` when the last flush fails.
   *
   * @example
   * ```ts
   * await log.close()
   * await log.close() // does nothing
   * ```
   */
  close(): Promise<void> {
    return this.#handle.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #checked(): LogHandle {
    this.#handle.check()
    return this.#handle
  }
}
