// The options and results of a snapshot set, as its users see them: interfaces only.

/** One snapshot of a set. */
export interface SnapshotInfo {
  /** `pending`: one that is being written, to become full. */
  readonly type: 'diff' | 'full' | 'pending'
  /** Its number, from 1 to 2^53 - 1. Later snapshots have higher numbers, and no number is used twice. */
  readonly ordinal: number
  /** Its files, absolute, in the order of the shards. */
  readonly shardPaths: readonly string[]
}

/** How to open a snapshot set. */
export interface SnapshotSetOptions {
  /**
   * `contents`: the newest full snapshot is read once, against its checksums; if it is damaged, the one before it, and so on. `lengths`: nothing is read; only missing
   * files and wrong lengths are noticed.
   * @default 'contents'
   */
  verify?: 'contents' | 'lengths' | undefined
  /**
   * Opens a set on a file system that other machines share, where a lock may be ignored and a flush may not reach a device; otherwise `ERR_FILE_SYSTEM`.
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
  /** Snapshots whose making was interrupted, and undone: no caller knew of them. */
  readonly undone: readonly number[]
  /** Damaged snapshots, as far as known by now: `snapshotsToRestore()` skips the full ones among them. */
  readonly damaged: readonly SnapshotDamage[]
}
