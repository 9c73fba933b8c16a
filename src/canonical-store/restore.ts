// Making a store from a backup: the arguments are checked here, native code does the work.
import { resolve } from 'node:path'
import { throwIfAborted } from '../internal/platform.ts'
import { checkBoolean, checkedPath, checkOptions } from '../internal/validate.ts'
import { Environment } from '../native/environment.ts'
import type { RestoreInfo, RestoreOptions } from './api/backup.ts'
import { carryOut, watchingOf } from './backup-task.ts'

const OPTIONS: ReadonlySet<string> = new Set(['verifyOnly', 'signal', 'onProgress'])

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
  checkOptions(options, OPTIONS, 'options')
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
