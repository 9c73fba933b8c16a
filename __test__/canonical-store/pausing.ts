// One thread pauses while workers hold the gate and write; the workers run this file too.
//
//   pausing.ts PATH
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { open } from 'ledgerstone'
import { report } from '../support/report.ts'
import { ended, startWorker, told } from '../support/workers.ts'

/** Set while the worker holds a transaction open; to be cleared when it may end. */
type Hold = Int32Array<SharedArrayBuffer>

async function main(path: string): Promise<void> {
  const store = await open(path, { durability: 'applied' })
  const hold: Hold = new Int32Array(new SharedArrayBuffer(4))
  const holder = startWorker(new URL(import.meta.url), { path, hold })
  const isHeld = async (): Promise<void> => {
    holder.postMessage('hold')
    await told(holder)
  }
  const letGo = (): void => {
    Atomics.store(hold, 0, 0)
    Atomics.notify(hold, 0)
  }
  await told(holder)

  await isHeld()
  report(
    await store.pauseIngestion({ timeoutMs: 100 }).then(
      () => 'paused',
      (error: { code: string }) => error.code,
    ),
  )
  letGo()
  await store.append(1)
  if (!store.isPaused) report('runs on')

  await isHeld()
  const controller = new AbortController()
  const aborted = store.pauseIngestion({ signal: controller.signal }).then(
    () => 'paused',
    (reason: string) => reason,
  )
  setTimeout(() => controller.abort('aborted'), 50)
  report(await aborted)
  letGo()
  await store.append(2)
  if (!store.isPaused) report('runs on')

  await isHeld()
  const before = store.stats().levels.applied
  const pausing = store.pauseIngestion()
  setTimeout(letGo, 50)
  const pause = await pausing
  if (store.stats().levels.applied === before + 1) report('paused when the transaction had ended')

  // Writers that go on and on: not one of their commits comes after the pause.
  const writer = startWorker(new URL(import.meta.url), { path, commits: 3000 })
  await told(writer)
  pause.release()
  const reached = new Set<number>()
  for (let n = 0; n < 20; n++) {
    const held = await store.pauseIngestion()
    const { applied } = store.stats().levels
    await new Promise((resolve) => setTimeout(resolve, 5))
    if (store.stats().levels.applied !== applied) report('a write came through')
    reached.add(applied)
    held.release()
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  if (reached.size > 1) report('nothing came through')
  await ended(writer)
  if (store.state.get('commits') === 3000) report('all there')
  holder.postMessage('end')
  await ended(holder)
  await store.close()
}

async function inWorker({ path, hold, commits }: { path: string; hold?: Hold; commits?: number }): Promise<void> {
  const store = await open(path, { durability: 'applied' })
  parentPort?.postMessage('ready')
  if (commits !== undefined) {
    // Each transaction reads, so it takes the gate while its function runs; the function may run again after a pause.
    for (let n = 1; n <= commits; n++) await store.transact((tx) => tx.put(store.state, 'commits', ((tx.get(store.state, 'commits') as number | undefined) ?? 0) + 1))
    await store.close()
    return
  }
  parentPort?.on('message', (order: string) => {
    if (order === 'end') {
      parentPort?.close()
      return
    }
    const word = hold as Hold
    store.apply((tx) => {
      tx.append('held')
      Atomics.store(word, 0, 1)
      parentPort?.postMessage('holding')
      Atomics.wait(word, 0, 1)
    })
  })
}

if (isMainThread) await main(process.argv[2] as string)
else await inWorker(workerData as { path: string })
