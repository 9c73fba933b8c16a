// Backing up the store of an open handle: the arguments are checked here, native code does the work.
import { resolve } from 'node:path'
import { invalidArgument } from '../errors.ts'
import { throwIfAborted } from '../internal/platform.ts'
import { checkedPath, checkInteger, checkOptions } from '../internal/validate.ts'
import type { BackupInfo, BackupOptions } from './api/backup.ts'
import { carryOut, watchingOf } from './backup-task.ts'
import type { StoreHandle } from './store-handle.ts'

const OPTIONS: ReadonlySet<string> = new Set(['shards', 'keepFull', 'signal', 'onProgress'])
const MAX_SHARDS = 1024

/** Backs the store of an open handle up. */
export async function backUp(handle: StoreHandle, dir: string | URL, options: BackupOptions | undefined): Promise<BackupInfo> {
  const path = resolve(checkedPath(dir, 'dir'))
  checkOptions(options, OPTIONS, 'options')
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
