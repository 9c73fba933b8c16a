// A worker that holds what readers of a store hold: it takes a snapshot at each message, and gives all back at another one.
import { parentPort, workerData } from 'node:worker_threads'
import { open, type Snapshot } from '../../src/index.ts'

const store = await open((workerData as { path: string }).path)
const snapshots: Snapshot<unknown>[] = []
parentPort?.on('message', (what: 'take' | 'release' | 'end') => {
  if (what === 'take') snapshots.push(store.snapshot())
  else for (const snapshot of snapshots.splice(0)) snapshot.release()
  if (what === 'end') void store.close().then(() => parentPort?.close())
  parentPort?.postMessage('done')
})
parentPort?.postMessage('ready')
