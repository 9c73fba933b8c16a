// The messages on the channels of `node:diagnostics_channel`, as listeners see them: plain objects, with the store's folder as `path`. Interfaces only.
import type { LedgerstoneError } from '../../errors.ts'
import type { Seq } from './commit.ts'

/** `ledgerstone:commit-group`: commits of any thread that were written to the journal together. */
export interface CommitGroupMessage {
  readonly path: string
  /** The last commit in it. */
  readonly seq: Seq
  readonly commits: number
  /** The bytes written, padding included. */
  readonly bytes: number
  /** How long flushing to the device took, in microseconds; 0 when no caller waited for it. */
  readonly flushMicros: number
  /** Whether it was flushed to the device; otherwise only the operating system has it. */
  readonly durable: boolean
  /** How many groups this message sums up: 1, unless this thread was busy while more than 1,024 were written. */
  readonly groups: number
}

/** `ledgerstone:flush`: a generation in memory has been written to LMDB and to the event log. */
export interface FlushMessage {
  readonly path: string
  /** The last commit in it. */
  readonly seq: Seq
  /** The number of the generation that was written. */
  readonly epoch: number
  readonly entries: number
  /** The memory that it took, in bytes. */
  readonly bytes: number
  readonly durationMs: number
  /** How many flushes this message sums up: 1, unless this thread was busy while more than 1,024 were made. */
  readonly flushes: number
}

/** `ledgerstone:recovery`: this thread has opened a store that no thread of the process had open. */
export interface RecoveryMessage {
  readonly path: string
  /** The number of the generation that begins. */
  readonly epoch: number
  /** Journal frames that were replayed. */
  readonly frames: number
  /** Bytes of a torn end that were cut off. */
  readonly bytesCut: number
}

/** `ledgerstone:poisoned`: the store has stopped writing for good; once per thread that has it open. */
export interface PoisonedMessage {
  readonly path: string
  /** The first failure, as `store.failure` has it. */
  readonly error: LedgerstoneError
}

/** `ledgerstone:no-space`: the device is full; and again, with `until`, when there is room. Times are ms since the epoch, by this thread's observation. */
export interface NoSpaceMessage {
  readonly path: string
  readonly since: number
  readonly until?: number
}

/** `ledgerstone:stall`: a write of this thread had to wait because too much was not flushed; published when its waiting has ended. */
export interface StallMessage {
  readonly path: string
  readonly waitedMs: number
  /** Bytes that are applied and not yet flushed now. */
  readonly pendingBytes: number
}
