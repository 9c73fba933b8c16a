// The worker of the verification's test: writes into the store that the main thread has open, and verifies it at the same time.
import { parentPort, workerData } from 'node:worker_threads'
import { open } from '../../src/index.ts'

const store = await open(workerData as string, { durability: 'written' })
const reports = []
for (let round = 0; round < 6; round++) {
  const verified = store.verify()
  for (let i = 0; i < 40; i++) await store.state.put(`worker ${i}`, 'z'.repeat(700))
  await store.flush()
  reports.push(await verified)
}
await store.close()
parentPort?.postMessage(reports)
