// Short programs in which one thread follows what another writes; the worker runs this file too.
//
//   following.ts SCENE PATH
import { isMainThread, workerData } from 'node:worker_threads'
import { type CanonicalStore, type Durability, open } from 'ledgerstone'
import { report } from '../support/report.ts'
import { ended, startWorker } from '../support/workers.ts'

const EVENTS = 2000

async function write(store: CanonicalStore): Promise<void> {
  for (let n = 1; n <= EVENTS; n++) {
    if (n % 10 === 0) await store.append(n, { durability: 'durable' })
    else store.apply((tx) => tx.append(n))
    if (n % 300 === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Whether every event comes once, in order. */
async function follow(store: CanonicalStore, durability: Durability): Promise<boolean> {
  let expected = 1
  for await (const { id, event } of store.follow({ durability })) {
    if (id !== expected || event !== expected) return false
    if (expected++ === EVENTS) return true
  }
  return false
}

const LEVELS: readonly Durability[] = ['applied', 'written', 'durable']

async function main(scene: string, path: string): Promise<void> {
  const store = await open(path, { durability: 'applied', ...(scene === 'awaits-nobody' ? { flush: { intervalMs: 3_600_000 } } : {}) })
  if (scene === 'followers-exit') {
    // Nobody is left to write: waiting does not keep the process.
    void follow(store, 'durable')
    void follow(store, 'applied')
    report('all there')
    return
  }
  if (scene === 'only-follows') {
    report('all there')
    for await (const { id } of store.follow()) report(String(id))
    report('never')
    return
  }
  if (scene === 'closes-in-time') {
    setTimeout(() => void store.close(), 1)
    for await (const { id } of store.follow()) report(String(id))
    report('all there')
    return
  }
  if (scene === 'awaits-nobody') {
    // Nobody waits for the commits but the follower, and nothing else holds the event loop.
    process.once('beforeExit', () => report('the loop has ended'))
    const events = store.follow()[Symbol.asyncIterator]()
    for (let n = 1; n <= 3; n++) {
      const next = events.next()
      await new Promise((resolve) => setImmediate(resolve))
      store.apply((tx) => tx.append(n))
      if ((await next).value?.event !== n) return
    }
    const { flushes } = store.stats().journal
    for (let n = 4; n <= 1000; n++) store.apply((tx) => tx.append(n))
    void events.next()
    await new Promise((resolve) => setTimeout(resolve, 20))
    if (store.stats().journal.flushes === flushes) report('all there')
    return
  }
  if (scene === 'nothing-else') {
    // The follower's event comes with the flush that ends the last work of the process.
    const events = store.follow()[Symbol.asyncIterator]()
    for (let n = 1; n <= EVENTS / 4; n++) {
      const next = events.next()
      await new Promise((resolve) => setImmediate(resolve))
      void store.append(n, { durability: 'durable' })
      if ((await next).value?.event !== n) return
    }
    await store.close()
    report('all there')
    return
  }
  const worker = startWorker(new URL(import.meta.url), { scene, path })
  const done = scene === 'main-follows' ? LEVELS.map((level) => follow(store, level)) : [write(store).then(() => true)]
  const all = await Promise.all(done)
  if ((await ended(worker)) === 0 && all.every(Boolean)) report('all there')
  await store.close()
}

async function inWorker({ scene, path }: { scene: string; path: string }): Promise<void> {
  const store = await open(path, { durability: 'applied' })
  if (scene === 'main-follows') {
    await write(store)
  } else {
    const all = await Promise.all(LEVELS.map((level) => follow(store, level)))
    if (!all.every(Boolean)) process.exitCode = 1
  }
  await store.close()
}

if (isMainThread) await main(process.argv[2] as string, process.argv[3] as string)
else await inWorker(workerData as { scene: string; path: string })
