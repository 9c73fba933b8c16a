// Backups and restores as users write them. Nothing here runs: the type check proves what compiles and, by each `@ts-expect-error`, what must not.
import {
  BackupError,
  open,
  restore,
  type BackupInfo,
  type BackupOptions,
  type Operations,
  type Progress,
  type RestoreInfo,
  type RestoreOptions,
} from '../../src/index.ts'

export async function kept(folder: string | URL, signal: AbortSignal | undefined): Promise<number> {
  await using store = await open('./shop')
  const operations: Operations = store
  const onProgress = ({ phase, doneBytes, totalBytes }: Progress): void => void (phase === 'publishing' && doneBytes / totalBytes)
  const options: BackupOptions = { shards: undefined, keepFull: 3, signal, onProgress }
  const made: BackupInfo = await operations.backupTo(folder, options)
  // @ts-expect-error backups are full
  await store.backupTo(folder, { kind: 'diff' })
  // @ts-expect-error no such phase
  const phase: 'copied' = (null as unknown as Progress).phase
  // @ts-expect-error a backup is what it is
  made.seq = 5
  const how: RestoreOptions = { verifyOnly: true, signal, onProgress: undefined }
  const restored: RestoreInfo = await restore(folder, new URL('file:///srv/shop'), how)
  // @ts-expect-error the newest is restored
  await restore(folder, './shop', { upTo: 5 })
  // @ts-expect-error a place is needed
  await restore(folder)
  try {
    await restore(folder, './shop')
  } catch (error) {
    // @ts-expect-error no such reason
    if (error instanceof BackupError && error.reason === 'bad luck') return 0
    if (error instanceof BackupError && error.reason === 'target') return 1
  }
  void [phase, made.kind === 'full', restored.storeId]
  return restored.bytes
}
