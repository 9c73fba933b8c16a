// The options and results of an event log, as its users see them: interfaces only.
import type { Durability } from '../durability.ts'

/** The number of an event, from 1 on, without gaps; 0 means "before everything". A safe integer. */
export type EventId = number

/** How to open an event log. `segmentBytes`, `maxEventBytes`, `durability` and `compression` may differ from the last time. */
export interface EventLogOptions {
  /** A segment file is closed before it exceeds this: 16 KiB to 1 TiB. @default 64 MiB */
  segmentBytes?: number | undefined
  /** A larger event is `ERR_LIMIT`: up to 1 GiB. @default 16 MiB */
  maxEventBytes?: number | undefined
  /** The first id of a new log. An existing one keeps its ids. @default 1 */
  firstEventId?: EventId | undefined
  /**
   * The level that an event has reached when its append returns. `durable` costs a flush on the calling thread for each append. Nothing is kept back in memory, so
   * `applied` is as good as `written`.
   *
   * @default 'written'
   */
  durability?: Durability | undefined
  /** How events are compressed; only those that become smaller are. @default 'none' */
  compression?: 'none' | 'lz4' | 'zstd' | undefined
  /** `false`: a missing log is `ERR_NOT_FOUND`. @default true */
  create?: boolean | undefined
  /** Reads the segments in the folder, for example archived copies, and changes nothing there: takes no lock, cuts nothing off. @default false */
  readOnly?: boolean | undefined
  /** Writes a log on a file system that other machines share: there a lock may be ignored, and a flush not reach a device. Otherwise `ERR_FILE_SYSTEM`. @default false */
  allowNetworkFileSystem?: boolean | undefined
}

/** An event log in figures, exact at any time. */
export interface EventLogStats {
  /** Events that can be read. */
  eventCount: number
  /** The first of them; for an empty log the id that the next event gets. */
  oldestEventId: EventId
  /** The last of them; for an empty log the id before the next. */
  newestEventId: EventId
  /** Bytes of all segment files. */
  totalBytes: number
  /** Segment files. */
  fileCount: number
}

/** A closed segment. Its file never changes any more, and may be copied like any file. */
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
  /** It had been closed: there was nothing to recover. False also for a new log. */
  wasClosed: boolean
  /** What a kill or a power cut has left after the last whole event: it was cut off or, when the log is read only, is skipped. */
  tornTail?: { file: string; offset: number; bytes: number }
}
