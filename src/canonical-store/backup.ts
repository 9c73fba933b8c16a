// Backing a store up, and making one from a backup: the arguments are checked here, native code does the work and is asked for its progress.
import { resolve } from 'node:path'
import { invalidArgument } from '../errors.ts'
import { AbortWatch } from '../internal/abort.ts'
import { sleep, throwIfAborted } from '../internal/platform.ts'
import { checkBoolean, checkedPath, checkFunction, checkInteger, checkOptions, signalOf } from '../internal/validate.ts'
import type { ColdCalls } from '../native/binding.ts'
import { Environment } from '../native/environment.ts'
import type { BackupInfo, BackupOptions, Progress, ProgressOptions, RestoreInfo, RestoreOptions } from './api/backup.ts'
import type { StoreHandle } from './store-handle.ts'

const BACKUP_OPTIONS: ReadonlySet<string> = new Set(['shards', 'keepFull', 'signal', 'onProgress'])
const RESTORE_OPTIONS: ReadonlySet<string> = new Set(['verifyOnly', 'signal', 'onProgress'])
const MAX_SHARDS = 1024
/** So often progress is looked at. */
const LOOK_MS = 50

/** The signals of all backups and restores. */
const aborts = new AbortWatch()

/** Backs the store of an open handle up. */
export async function backUp(handle: StoreHandle, dir: string | URL, options: BackupOptions | undefined): Promise<BackupInfo> {
  const path = resolve(checkedPath(dir, 'dir'))
  checkOptions(options, BACKUP_OPTIONS, 'options')
  const { shards, keepFull } = options ?? {}
  checkInteger(shards, 1, 'shards')
  if (shards !== undefined && shards > MAX_SHARDS) throw invalidArgument('shards', `an integer from 1 to ${MAX_SHARDS} is needed`)
  checkInteger(keepFull, 1, 'keepFull')
  const watching = watchingOf(options)
  const { environment, id } = handle
  handle.check()
  throwIfAborted(watching.signal)
  const backup = environment.call((cold) => cold.beginBackup(id))
  const made = await carryOut(environment, backup, watching, (cold) => cold.backUp(id, backup, path, shards ?? 0, keepFull ?? 0))
  if (made !== null) return { kind: 'full', ...made }
  handle.check() // the store may have been closed during it
  throw watching.signal?.reason
}

/**
 * Makes a store at `to` from the newest backup in the folder `from`: exactly what {@link CanonicalStore.backupTo} found, under a new store id, neither sealed
 * nor paused. Everything is read and checked first; the store is made beside its place and renamed in one step, so it is there whole or not at all, also after a kill
 * or a power cut. `to` is missing, with its parents perhaps, or an empty folder. In `from` nothing is changed, and nobody is locked out.
 *
 * Rejects with `ERR_BACKUP` (`reason`) for anything that is wrong with the backup or the place; `ERR_LOCKED` while another restore to the same place runs;
 * `ERR_FILE_SYSTEM` for a network file system at `to`; `ERR_NO_SPACE`, `ERR_IO`; `ERR_INVALID_ARGUMENT`; the signal's reason. Nothing is left behind then.
 *
 * @example
 * ```ts
 * import { restore } from 'ledgerstone'
 * await store.backupTo('./backups')
 * const { seq, entries } = await restore('./backups', './restored', { onProgress: ({ phase, doneBytes }) => console.log(phase, doneBytes) })
 * await restore('./backups', './anywhere', { verifyOnly: true }) // only whether it could be restored
 * ```
 */
export async function restore(from: string | URL, to: string | URL, options?: RestoreOptions): Promise<RestoreInfo> {
  const [source, target] = [resolve(checkedPath(from, 'from')), resolve(checkedPath(to, 'to'))]
  checkOptions(options, RESTORE_OPTIONS, 'options')
  const { verifyOnly = false } = options ?? {}
  checkBoolean(verifyOnly, 'verifyOnly')
  const watching = watchingOf(options)
  throwIfAborted(watching.signal)
  const environment = Environment.current()
  const backup = environment.call((cold) => cold.beginBackup())
  const restored = await carryOut(environment, backup, watching, (cold) => cold.restoreStore(backup, source, target, verifyOnly))
  if (restored === null) throw watching.signal?.reason
  const { storeId, ...info } = restored
  return { storeId: storeId ?? '', ...info }
}

/** The signal and the progress of a call that waits. */
interface Watching {
  readonly signal: AbortSignal | undefined
  readonly onProgress: ((progress: Progress) => void) | undefined
}

function watchingOf(options: (ProgressOptions & { signal?: AbortSignal | undefined }) | undefined): Watching {
  const signal = signalOf(options)
  const onProgress = options?.onProgress
  if (onProgress !== undefined) checkFunction(onProgress, 'onProgress')
  return { signal, onProgress }
}

/**
 * Has the work done; `null` when it was given up. It ends when native code says so, also when it is given up: then everything is as it was. Whether it was
 * too late for that, native code decides.
 */
async function carryOut<T>(environment: Environment, backup: number, watching: Watching, work: (cold: ColdCalls) => Promise<T | null>): Promise<T | null> {
  const giveUp = (): void => environment.cold.endBackup(backup)
  const release = watching.signal === undefined ? undefined : aborts.add(watching.signal, giveUp)
  try {
    const outcome = environment.callAsync(work)
    if (watching.onProgress !== undefined) await tell(environment, backup, outcome, watching.onProgress, giveUp)
    return await outcome
  } finally {
    release?.()
    giveUp()
  }
}

/** Tells of progress until the work is over. */
async function tell(environment: Environment, backup: number, outcome: Promise<unknown>, onProgress: (progress: Progress) => void, giveUp: () => void): Promise<void> {
  let isOver = false
  const over = outcome.then(
    () => (isOver = true),
    () => (isOver = true),
  )
  let told: Progress | undefined
  try {
    for (;;) {
      const progress = progressOf(environment, backup)
      if (progress !== undefined && !isSame(progress, told)) onProgress((told = progress))
      if (isOver) return
      await Promise.race([over, sleep(LOOK_MS)])
    }
  } catch (thrown) {
    giveUp()
    await over
    throw thrown
  }
}

/** `undefined`: it has not begun, or was given up. */
function progressOf(environment: Environment, backup: number): Progress | undefined {
  try {
    const { phase, doneBytes, totalBytes } = environment.cold.backupProgress(backup)
    return phase === 'begun' ? undefined : { phase, doneBytes, totalBytes }
  } catch {
    return undefined
  }
}

function isSame(progress: Progress, told: Progress | undefined): boolean {
  return progress.phase === told?.phase && progress.doneBytes === told.doneBytes
}
