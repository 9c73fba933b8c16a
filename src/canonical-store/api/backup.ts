// Backups and restores as users see them: interfaces only.
import type { EventId } from '../../event-log/log-types.ts'
import type { Seq, SignalOptions } from './commit.ts'

/** How far a backup or a restore has come. */
export interface Progress {
  /** What is being done: a backup is copied, then published; a restore verifies the backup, then builds the store. */
  readonly phase: 'copying' | 'publishing' | 'verifying' | 'building'
  /** How much of this phase is done. */
  readonly doneBytes: number
  /** How much there is to do in this phase. While a backup is copied it is an estimate, which may be off. */
  readonly totalBytes: number
}

/** For progress. */
export interface ProgressOptions {
  /**
   * Called with each new phase, about 20 times a second while something moves, and at the end, in the caller's async context. What it throws gives the work up, and
   * is what the call rejects with.
   *
   * @default nobody
   */
  onProgress?: ((progress: Progress) => void) | undefined
}

/** How to make a backup. A signal that aborts leaves the folder as it was, unless the backup is as good as done. */
export interface BackupOptions extends SignalOptions, ProgressOptions {
  /**
   * How many files the state is divided into by ranges of keys, and the events by segments, at the most: 1 to 1,024. A few of them are written at a time.
   *
   * @default one for 256 MiB, up to 64
   */
  shards?: number | undefined
  /** So many backups stay in the folder, the newest that hold; at least 1. Each is read before an older one goes. @default all stay */
  keepFull?: number | undefined
}

/** A backup that was made. */
export interface BackupInfo {
  /** Everything that there was. */
  readonly kind: 'full'
  /** Its number in the folder. Later ones have higher numbers. */
  readonly ordinal: number
  /** The last commit in it. */
  readonly seq: Seq
  /** The id that the next event had. */
  readonly nextEventId: EventId
  /** How many entries it has, of all collections. */
  readonly entries: number
  /** How many events it has. */
  readonly events: number
  /** What its files take. */
  readonly bytes: number
  /** Its files, absolute. */
  readonly files: readonly string[]
  /** How long it took, in ms. */
  readonly durationMs: number
}

/** How to restore. A signal that aborts leaves nothing behind, unless the store is in its place already. */
export interface RestoreOptions extends SignalOptions, ProgressOptions {
  /** Reads and checks the whole backup, and whether the place is free, and makes nothing. @default false */
  verifyOnly?: boolean | undefined
}

/** A store that was restored, or a backup that holds. */
export interface RestoreInfo {
  /** The id of the new store, which no other has. Empty with `verifyOnly`. */
  readonly storeId: string
  /** The id of the store that was backed up. */
  readonly sourceStoreId: string
  /** The last commit in the backup. */
  readonly seq: Seq
  /** The id that the next event gets. */
  readonly nextEventId: EventId
  /** How many entries there are, of all collections. */
  readonly entries: number
  /** How many events there are. */
  readonly events: number
  /** What the files of the backup take. */
  readonly bytes: number
}

/** What is done with a store as a whole, while it is open. */
export interface Operations {
  /**
   * Makes a full backup in a folder, while reading and writing go on: one point in time that has everything applied before the call, and commits of later turns or
   * not. It is published in one step when the journal is durable up to it; a kill or a power cut leaves the folder with it or without it. What an earlier backup
   * left that died half way is removed. The folder and its parents are made when they are missing; it is a snapshot set (`ledgerstone/snapshots`) for backups of
   * this store alone, and files with other names in it are left alone. {@link restore} makes a store of it.
   *
   * While it is copied it holds a snapshot: what is deleted and overwritten by then gives its room back later.
   *
   * Rejects with `ERR_BACKUP` (`reason`) when the folder holds backups of another store or something else; `ERR_LOCKED` while another backup is made into it;
   * `ERR_INVALID_ARGUMENT`, also for a folder inside the store; `ERR_LIMIT`; `ERR_CORRUPT` when what is to be copied is damaged; `ERR_POISONED`; `ERR_NO_SPACE`,
   * `ERR_IO`; `ERR_CLOSED` when this handle is closed, also before it is done; the signal's reason. The backups in the folder are as they were then.
   *
   * @example
   * ```ts
   * const { seq, files } = await store.backupTo('./backups', { keepFull: 7 })
   * console.log(`everything up to ${seq} is in ${files.length} files`)
   * ```
   */
  backupTo(dir: string | URL, options?: BackupOptions): Promise<BackupInfo>
}
