// A store in figures: interfaces only.
import type { EventId } from '../../event-log/log-types.ts'
import type { LockStats } from '../../lock-manager/locks.ts'
import type { Seq } from './commit.ts'

/** The identity of a store. */
export interface StoreMeta {
  /** A UUID, made with the store. */
  storeId: string
  /** The version of the format on disk. */
  formatVersion: number
  /** Ms since the epoch. */
  createdAt: number
  /** Ms since the epoch: the newest commit, or the creation. */
  updatedAt: number
  nextEventId: EventId
  /** The newest event when the store was sealed, 0 for none; absent while it is not sealed. */
  sealedEventId?: EventId
}

/** The state of a store. Histograms are by powers of two: entry n counts values below 2^n and not below 2^(n-1). */
export interface StoreStats {
  /** The newest commit at each level; `flushed` is in LMDB and in the event log. */
  levels: { applied: Seq; written: Seq; durable: Seq; flushed: Seq }
  /**
   * `leadMs`: how far the newest timestamp is ahead of the wall clock. Timestamps never go back: more than 0 means that a clock was ahead when an event was
   * written; what is written until the clock has caught up has the same timestamp.
   */
  events: { count: number; oldest: EventId; next: EventId; bytes: number; segments: number; leadMs: number }
  state: { bytes: number; mapBytes: number }
  /** Commits that are applied and not yet flushed. */
  delta: { bytes: number; entries: number }
  journal: { files: number; bytes: number; groups: number; flushes: number; groupSizes: number[]; flushMicros: number[] }
  flusher: { runs: number; lastMs: number }
  /**
   * Open snapshots and iterations, of all threads: the number of snapshots; the age in ms of the oldest of them and of running iterations; how many flushed
   * bytes they keep in memory. While one is open, LMDB cannot reuse what it may still read, and `state.bytes` grows with each flush.
   */
  readers: { snapshots: number; oldestMs: number; bytes: number }
  /** The locks of {@link CanonicalStore.locks}. */
  locks: LockStats
  /** What the last opening found: journal frames replayed, bytes of a torn end cut off. */
  recovery: { epoch: number; frames: number; bytesCut: number }
}
