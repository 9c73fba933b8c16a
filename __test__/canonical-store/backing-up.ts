// Run by backup.spec.ts in a worker: makes one backup after the other until it is terminated.
import { parentPort, workerData } from 'node:worker_threads'
import { open } from '../../src/index.ts'

const { path, backups } = workerData as { path: string; backups: string }
const store = await open(path)
for (;;) {
  const made = store.backupTo(backups, { keepFull: 1 }).catch((error: { code?: string }) => {
    if (error.code !== 'ERR_LOCKED') throw error // one of a worker that was terminated
  })
  parentPort?.postMessage('begun')
  await made
}
