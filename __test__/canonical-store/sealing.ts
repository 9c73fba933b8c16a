// Seals a store and waits to be killed; or seals it and has two workers try to write.
//
//   sealing.ts PATH [workers]
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { open } from 'ledgerstone'
import { report } from '../support/report.ts'
import { ended, startWorker, told } from '../support/workers.ts'

async function main(path: string, withWorkers: boolean): Promise<void> {
  const store = await open(path, { durability: 'applied' })
  await store.append('a')
  if (!withWorkers) {
    await store.seal()
    report('sealed')
    setInterval(() => {}, 1000)
    return
  }
  const workers = [1, 2].map(() => startWorker(new URL(import.meta.url), path))
  await Promise.all(workers.map(told))
  await store.seal()
  for (const worker of workers) worker.postMessage('try')
  await Promise.all(workers.map(ended))
  await store.close()
}

async function inWorker(path: string): Promise<void> {
  const store = await open(path, { durability: 'applied' })
  await store.append('b')
  const order = new Promise((resolve) => parentPort?.once('message', resolve))
  parentPort?.postMessage('ready')
  await order
  try {
    store.apply(() => report('the function runs'))
  } catch (error) {
    report((error as { code: string }).code)
  }
  await store.close()
}

if (isMainThread) await main(process.argv[2] as string, process.argv[3] === 'workers')
else await inWorker(workerData as string)
