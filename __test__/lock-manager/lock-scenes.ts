// Short programs about locks and worker threads, one per argument; the workers run this file too.
//
//   lock-scenes.ts SCENE PATH
import { isMainThread, parentPort, type Worker, workerData } from 'node:worker_threads'
import { type CanonicalStore, open } from 'ledgerstone'
import { report } from '../support/report.ts'
import { ended, startWorker, told } from '../support/workers.ts'

interface Part {
  readonly scene: string
  readonly path: string
  readonly shared: Int32Array
}

const ROUNDS = 1_500
const FOR_EVER = { timeoutMs: 60_000 }
/** Still in use when the worker ends. */
let kept: unknown
process.once('exit', () => kept)

const inMain: Record<string, (store: CanonicalStore) => Promise<void>> = {
  'holder-dies': async (store) => {
    for (const how of ['terminate', 'exit', 'throw']) {
      const worker = start('holder-dies', store.path)
      worker.on('error', () => {})
      await told(worker)
      const waits = store.locks.acquire({ write: ['x', 'y'], read: [store.state.key('a')] }, FOR_EVER)
      report(`${how}: ${figures(store)}`)
      if (how === 'terminate') void worker.terminate()
      else worker.postMessage(how)
      const guard = await waits
      guard.release()
      await ended(worker)
      report(`after it: ${figures(store)}`)
    }
  },
  'waiter-dies': async (store) => {
    const guard = await store.locks.acquire({ write: ['x'] })
    for (const how of ['terminate', 'exit', 'throw']) {
      const worker = start('waiter-dies', store.path)
      worker.on('error', () => {})
      await told(worker)
      report(`${how}: ${figures(store)}`)
      if (how === 'terminate') void worker.terminate()
      else worker.postMessage(how)
      await ended(worker)
      // The worker had y, and waited for x.
      const both = store.locks.tryAcquire({ write: ['y'] })
      both?.release()
      report(`after it: ${figures(store)} ${both === undefined ? 'y is taken' : 'y is free'}`)
    }
    guard.release()
  },
  'taking-turns': async (store) => {
    const shared = new Int32Array(new SharedArrayBuffer(8))
    const workers = [1, 2].map(() => start('taking-turns', store.path, shared))
    const over = workers.map(ended)
    await takeTurns(store, shared)
    await Promise.all(over)
    report(`${Atomics.load(shared, 0)} turns, ${figures(store)}`)
  },
  'terminated-storm': async (store) => {
    let terminated = 0
    for (let round = 0; round < 10; round++) {
      const workers = [1, 2, 3].map(() => start('terminated-storm', store.path))
      await Promise.all(workers.map(told))
      const mine = store.locks.acquire({ write: ['k0', 'k1', 'k2', 'k3'] }, FOR_EVER)
      await new Promise((resolve) => setTimeout(resolve, round * 3))
      await Promise.all(workers.map((worker) => worker.terminate()))
      terminated += workers.length
      const guard = await mine
      guard.release()
    }
    report(`${terminated} terminated, ${figures(store)}`)
  },
  'blocked-process': (store) => {
    // Nothing but the waiting keeps the process alive: it has to stay until the time is over.
    kept = store.locks.tryAcquire({ write: ['x'] })
    store.locks.acquire({ write: ['x'] }, { timeoutMs: 200 }).catch((error: unknown) => report((error as { code: string }).code))
    return Promise.resolve()
  },
}

const inWorker: Record<string, (store: CanonicalStore, shared: Int32Array) => Promise<void> | void> = {
  'holder-dies': async (store) => {
    kept = await store.locks.acquire({ write: ['x', store.state.key('a')] })
    stay()
  },
  'waiter-dies': async (store) => {
    kept = [await store.locks.acquire({ write: ['y'] }), store.locks.acquire({ write: ['x'] }, FOR_EVER)]
    stay()
  },
  'taking-turns': takeTurns,
  'terminated-storm': async (store) => {
    parentPort?.postMessage('now')
    for (let n = 0; ; n++) {
      const guard = await store.locks.acquire({ write: [`k${n % 4}`], read: [`k${(n + 1) % 4}`] }, FOR_EVER)
      if (n % 3 === 0) await new Promise((resolve) => setImmediate(resolve))
      guard.release()
    }
  },
}

if (isMainThread) {
  const [scene, path] = process.argv.slice(2) as [string, string]
  const store = await open(path)
  await inMain[scene]?.(store)
  if (scene !== 'blocked-process') await store.close()
} else {
  const { scene, path, shared } = workerData as Part
  await inWorker[scene]?.(await open(path), shared)
}

/** Counts up what all threads count, by a read and a later write that only the lock keeps together. */
async function takeTurns(store: CanonicalStore, shared: Int32Array): Promise<void> {
  for (let n = 0; n < ROUNDS; n++) {
    await store.locks.with(
      { write: [store.state.key('turn')] },
      async () => {
        const before = Atomics.load(shared, 0)
        await Promise.resolve()
        Atomics.store(shared, 0, before + 1)
      },
      FOR_EVER,
    )
  }
  if (!isMainThread) await store.close()
}

/** Reports that it is where the scene wants it, and ends in the given way. */
function stay(): void {
  parentPort?.on('message', (how) => {
    if (how === 'exit') process.exit(0)
    throw new Error('a worker that fails')
  })
  parentPort?.postMessage('now')
}

function start(scene: string, path: string, shared: Int32Array = new Int32Array(2)): Worker {
  return startWorker(new URL(import.meta.url), { scene, path, shared } satisfies Part)
}

function figures(store: CanonicalStore): string {
  const { held, waiting } = store.stats().locks
  return `held ${held} waiting ${waiting}`
}
