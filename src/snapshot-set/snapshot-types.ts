// What goes into a snapshot set and what it tells, as its users see it: interfaces only.

/** One snapshot of a set. */
export interface SnapshotInfo {
  /** `pending`: a full one that is being written. */
  readonly type: 'diff' | 'full' | 'pending'
  /** Its number, from 1 to 2^53 - 1. Later snapshots have higher ones, and none is given twice. */
  readonly ordinal: number
  /** Its files, absolute, in the order of the shards. */
  readonly shardPaths: readonly string[]
}

/** How to open a snapshot set. */
export interface SnapshotSetOptions {
  /**
   * `contents`: the newest full snapshot is read once, against its checksums; until one holds, the one before it. `lengths`: nothing is read, missing
   * files and wrong lengths alone are noticed.
   * @default 'contents'
   */
  verify?: 'contents' | 'lengths' | undefined
  /**
   * Opens a set on a file system that other machines share, where a lock may not be seen and a flush may not reach a device; otherwise
   * `ERR_FILE_SYSTEM`.
   * @default false
   */
  allowNetworkFileSystem?: boolean | undefined
}

/** A snapshot that cannot be restored from. */
export interface SnapshotDamage {
  readonly ordinal: number
  readonly type: 'diff' | 'full' | 'pending'
  /** The first of its files that is missing or damaged. */
  readonly file: string
  /** What is wrong with it. */
  readonly message: string
}

/** What opening a set found. */
export interface SnapshotSetRecovery {
  /** Snapshots whose publication or removal a kill or a power cut had interrupted, and opening has finished. */
  readonly finished: readonly number[]
  /** Snapshots whose making was interrupted, and taken back: nobody had heard of them. */
  readonly undone: readonly number[]
  /** Damaged snapshots, as far as is known by now: `snapshotsToRestore()` passes over the full ones among them. */
  readonly damaged: readonly SnapshotDamage[]
}
