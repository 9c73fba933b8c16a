// The snapshot set: whole files under numbered names in a folder that has one owner. Arguments are checked here; native code does the work.
import { resolve } from 'node:path'
import { Environment } from '../native/environment.ts'
import { invalidArgument } from '../errors.ts'
import { nobodysContext } from '../internal/context.ts'
import { checkBoolean, checkedPath, checkInteger, checkOptions } from '../internal/validate.ts'
import { SetHandle } from './set-handle.ts'
import type { SnapshotDamage, SnapshotInfo, SnapshotSetOptions, SnapshotSetRecovery } from './snapshot-types.ts'

const OPEN_OPTIONS: ReadonlySet<string> = new Set(['verify', 'allowNetworkFileSystem'])
const PUBLISH_OPTIONS: ReadonlySet<string> = new Set(['purgeObsoleteDiffs', 'purgeObsoletePendings'])
const PRUNE_OPTIONS: ReadonlySet<string> = new Set(['keepFull', 'pendings'])

/**
 * A set of snapshots: files named `snapshot_<ordinal>_<shard>-of-<count>_<diff|full|pending>.bin` in a folder. Their contents are yours. You write a *pending* snapshot
 * shard by shard; it becomes *full* when it is published. *Diffs* hold what has changed since. To restore, read the newest full snapshot and then every later diff:
 * {@link FileSnapshotSet.snapshotsToRestore}.
 *
 * All shards of a snapshot are made, published and removed in one atomic step: after a kill or a power cut at any moment the set is as before the step or as
 * after it. One owner at a time: a second `open` of the folder, in this process or another, is `ERR_LOCKED`. Names that do not belong to the set are listed and
 * left alone. Calls that change the set run one after another. When one fails half way, what it has begun is finished or undone at once, and `list()` shows the
 * result. After a failed flush of the folder every call is `ERR_POISONED` until the set is opened again. Any use after `close()` is `ERR_CLOSED`.
 *
 * @example
 * ```ts
 * import { writeFile } from 'node:fs/promises'
 * const set = await FileSnapshotSet.open('./snapshots')
 * const pending = await set.createOrGetSnapshot('pending', 2, false)
 * for (const path of pending.shardPaths) await writeFile(path, 'state')
 * await set.publishCompletedSnapshot(pending.ordinal, { purgeObsoleteDiffs: true })
 * for (const { type, shardPaths } of set.snapshotsToRestore()) console.log(type, shardPaths)
 * await set.close()
 * ```
 */
export class FileSnapshotSet implements AsyncDisposable {
  readonly #handle: SetHandle
  readonly #path: string

  private constructor(handle: SetHandle, path: string) {
    this.#handle = handle
    this.#path = path
  }

  /**
   * Opens the set in a folder, makes the folder and its parents if it is missing, and finishes or undoes what was interrupted. Unless `verify` is `lengths`, it
   * takes as long as reading the newest full snapshot. If that one is damaged, there is one process warning, `LEDGERSTONE_SNAPSHOT_DAMAGED`.
   *
   * Rejects with `ERR_INVALID_ARGUMENT`; `ERR_LOCKED` (with the owner's `pid`); `ERR_CORRUPT` for a damaged manifest; `ERR_FORMAT` for a newer one, and for the
   * folder of a store or an event log; `ERR_FILE_SYSTEM`, `ERR_NO_SPACE`, `ERR_IO`; `ERR_NATIVE_MISSING`, `ERR_VERSION_MISMATCH`.
   *
   * @example
   * ```ts
   * const set = await FileSnapshotSet.open('./snapshots', { verify: 'lengths' })
   * await set.close()
   * ```
   */
  static async open(folder: string | URL, options?: SnapshotSetOptions): Promise<FileSnapshotSet> {
    const path = resolve(checkedPath(folder, 'folder'))
    checkOptions(options, OPEN_OPTIONS, 'options')
    const { verify = 'contents', allowNetworkFileSystem = false } = options ?? {}
    if (verify !== 'contents' && verify !== 'lengths') throw invalidArgument('verify', "it is 'contents' or 'lengths'")
    checkBoolean(allowNetworkFileSystem, 'allowNetworkFileSystem')
    const environment = Environment.current()
    const id = await environment.callAsync((cold) => cold.openSnapshotSet(path, verify === 'contents', allowNetworkFileSystem))
    const handle = new SetHandle(environment, id)
    const set = new FileSnapshotSet(handle, path)
    warnOf(set.recovery.damaged)
    return set
  }

  /** The set's folder, absolute. */
  get path(): string {
    this.#handle.check()
    return this.#path
  }

  /** What opening found: what it finished and undid, and what is damaged. */
  get recovery(): SnapshotSetRecovery {
    return this.#handle.call((cold) => cold.setRecovery(this.#handle.id))
  }

  /**
   * Makes a snapshot with the next ordinal and `shardCount` (1 to 4,096) empty files, which exist durably when it resolves. Write to them, by their paths, as you like.
   *
   * With `mayAppendExisting` it returns the newest snapshot of that type instead, if that has the same number of shards, is whole, and no later snapshot relies on it: a diff
   * is not returned once a pending or full snapshot has a higher ordinal, nor a pending one once a full one has.
   *
   * Rejects with `ERR_INVALID_ARGUMENT`, `ERR_LIMIT` (`shardCount`, `ordinal`, `manifestBytes`), `ERR_FORMAT` when a file that does not belong to the set is in
   * the way, `ERR_NO_SPACE`, `ERR_IO`.
   *
   * @example
   * ```ts
   * import { appendFile } from 'node:fs/promises'
   * const diff = await set.createOrGetSnapshot('diff', 1, true)
   * for (const path of diff.shardPaths) await appendFile(path, 'what has changed\n')
   * ```
   */
  async createOrGetSnapshot(type: 'diff' | 'pending', shardCount: number, mayAppendExisting: boolean): Promise<SnapshotInfo> {
    const { id } = this.#checked()
    const asked: unknown = type
    if (asked !== 'diff' && asked !== 'pending') throw invalidArgument('type', "what is made is a 'diff' or a 'pending' snapshot")
    if (shardCount === undefined) throw invalidArgument('shardCount', 'an integer from 1 on is needed')
    checkInteger(shardCount, 1, 'shardCount')
    if (mayAppendExisting === undefined) throw invalidArgument('mayAppendExisting', 'a boolean is needed')
    checkBoolean(mayAppendExisting, 'mayAppendExisting')
    return this.#handle.change((cold) => cold.setCreateOrGet(id, type, shardCount, mayAppendExisting))
  }

  /**
   * Publishes a pending snapshot whose files you have written and closed: it becomes a full one. First each file is read and flushed, so it is durable however
   * it was written, and its length and checksum are recorded, so that later damage is noticed. On request obsolete snapshots, those with a lower ordinal, are
   * removed in the same step.
   *
   * Rejects with `ERR_NOT_FOUND` (`ordinal`); `ERR_INVALID_ARGUMENT` when it is not pending, or still being written; `ERR_CORRUPT` when a file is missing, or a
   * flush of one has failed before: make a new snapshot then. `ERR_FORMAT` when something is in the way; `ERR_NO_SPACE`, `ERR_IO`; `ERR_CLOSED` when the set is
   * closed while the files are read.
   *
   * @example
   * ```ts
   * const pending = await set.createOrGetSnapshot('pending', 1, false)
   * const full = await set.publishCompletedSnapshot(pending.ordinal, { purgeObsoleteDiffs: true, purgeObsoletePendings: true })
   * ```
   */
  async publishCompletedSnapshot(
    ordinal: number,
    options?: { purgeObsoleteDiffs?: boolean | undefined; purgeObsoletePendings?: boolean | undefined },
  ): Promise<SnapshotInfo> {
    const { id } = this.#checked()
    if (ordinal === undefined) throw invalidArgument('ordinal', 'an integer from 0 on is needed')
    checkInteger(ordinal, 0, 'ordinal')
    checkOptions(options, PUBLISH_OPTIONS, 'options')
    const { purgeObsoleteDiffs = false, purgeObsoletePendings = false } = options ?? {}
    checkBoolean(purgeObsoleteDiffs, 'purgeObsoleteDiffs')
    checkBoolean(purgeObsoletePendings, 'purgeObsoletePendings')
    return this.#handle.change((cold) => cold.setPublish(id, ordinal, purgeObsoleteDiffs, purgeObsoletePendings))
  }

  /**
   * The snapshots to restore, in order: the newest full one and every later diff; all diffs if there is no full one. If the newest full one is damaged, the one
   * before it takes its place, and {@link FileSnapshotSet.recovery} says so.
   *
   * @throws `ERR_CORRUPT` when every full one is damaged, or when there is a gap: a diff is damaged, or was removed when a later full snapshot was published
   *
   * @example
   * ```ts
   * import { readFile } from 'node:fs/promises'
   * for (const { shardPaths } of set.snapshotsToRestore()) for (const path of shardPaths) console.log(await readFile(path))
   * ```
   */
  snapshotsToRestore(): SnapshotInfo[] {
    const { id } = this.#checked()
    return this.#handle.call((cold) => cold.setSnapshotsToRestore(id))
  }

  /**
   * All snapshots by ordinal, damaged ones included, and the names in the folder that do not belong to the set.
   *
   * @example
   * ```ts
   * console.log(set.list().foreign) // [ 'notes.txt' ]
   * ```
   */
  list(): { snapshots: SnapshotInfo[]; foreign: string[] } {
    const { id } = this.#checked()
    return this.#handle.call((cold) => cold.setList(id))
  }

  /**
   * Removes snapshots that are not needed any more, and returns them. `keepFull` (from 1): the newest undamaged full ones, as many as it says, stay; each is
   * read whole before anything is removed. Earlier full ones are removed, and all diffs below. If there are fewer undamaged ones, nothing is removed.
   * `pendings`: removes pending ones that were neither made nor returned since the set was opened. Works on a full device.
   *
   * Rejects with `ERR_INVALID_ARGUMENT`, `ERR_IO`.
   *
   * @example
   * ```ts
   * const removed = await set.prune({ keepFull: 2, pendings: true })
   * ```
   */
  async prune(options: { keepFull?: number | undefined; pendings?: boolean | undefined }): Promise<SnapshotInfo[]> {
    const { id } = this.#checked()
    checkOptions(options, PRUNE_OPTIONS, 'options')
    const { keepFull, pendings = false } = (options as typeof options | undefined) ?? {}
    checkInteger(keepFull, 1, 'keepFull')
    checkBoolean(pendings, 'pendings')
    return this.#handle.change((cold) => cold.setPrune(id, keepFull ?? 0, pendings))
  }

  /**
   * Gives the folder back; a second call does nothing. A running change ends first, but a publication that is still reading its files is given up.
   *
   * @example
   * ```ts
   * await set.close()
   * ```
   */
  close(): Promise<void> {
    return this.#handle.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #checked(): SetHandle {
    this.#handle.check()
    return this.#handle
  }
}

/** Warns of damaged snapshots, which a restore passes over. */
function warnOf(found: readonly SnapshotDamage[]): void {
  const damaged = found.filter(({ type }) => type !== 'pending')
  const first = damaged.at(-1)
  if (first === undefined) return
  nobodysContext(() =>
    process.emitWarning(`snapshots are damaged: count=${damaged.length} ordinal=${first.ordinal} file=${first.file}: ${first.message}`, {
      type: 'LedgerstoneWarning',
      code: 'LEDGERSTONE_SNAPSHOT_DAMAGED',
    }),
  )
}
