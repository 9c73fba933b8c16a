// What goes into an event log and what it tells, as its users see it: interfaces only.
import type { Durability } from '../durability.ts'

/** The number of an event, from 1 on, without gaps; 0 means "before everything". A safe integer. */
export type EventId = number

/** How to open an event log. `segmentBytes`, `maxEventBytes`, `durability` and `compression` may be others the next time. */
export interface EventLogOptions {
  /** A segment file is closed before it exceeds this: 16 KiB to 1 TiB. @default 64 MiB */
  segmentBytes?: number | undefined
  /** A larger event is `ERR_LIMIT`: up to 1 GiB. @default 16 MiB */
  maxEventBytes?: number | undefined
  /** The first id of a log that is made. One that is there keeps its ids. @default 1 */
  firstEventId?: EventId | undefined
  /**
   * What has become of an event when its append returns. `durable` costs a flush for each call of an append, on the
   * calling thread. Nothing is kept back in memory, so `applied` is as good as `written`.
   *
   * @default 'written'
   */
  durability?: Durability | undefined
  /** How events are stored that become smaller by it. @default 'none' */
  compression?: 'none' | 'lz4' | 'zstd' | undefined
  /** `false`: a missing log is `ERR_NOT_FOUND`. @default true */
  create?: boolean | undefined
  /** Reads the segments that are in the folder, archived copies for example, and changes nothing there: takes no lock, cuts nothing. @default false */
  readOnly?: boolean | undefined
  /** Writes a log on a file system that other machines share, where a lock may not be seen and a flush may not reach a device; otherwise `ERR_FILE_SYSTEM`. @default false */
  allowNetworkFileSystem?: boolean | undefined
}

/** An event log in numbers: exact at any time. */
export interface EventLogStats {
  /** Events that can be read. */
  eventCount: number
  /** The first of them; of an empty log the id that the next event gets. */
  oldestEventId: EventId
  /** The last of them; of an empty log the one before the next. */
  newestEventId: EventId
  /** Bytes of all segment files. */
  totalBytes: number
  /** Segment files. */
  fileCount: number
}

/** A closed segment: its file never changes any more, and may be copied as any file. */
export interface EventSegment {
  /** The file, absolute. */
  path: string
  firstEventId: EventId
  lastEventId: EventId
  /** When the last event was appended, in ms since the epoch. */
  lastTimestamp: number
  /** The file's length. */
  bytes: number
}

/** What opening a log found. */
export interface EventLogRecovery {
  /** It had been closed: nothing was to be recovered. False also for a log that was just made. */
  wasClosed: boolean
  /** What a kill or a power cut has left behind the last whole event: it was cut, or, when the log is read only, is passed over. */
  tornTail?: { file: string; offset: number; bytes: number }
}
