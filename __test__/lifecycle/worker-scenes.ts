// Short programs with worker threads, one per argument; the workers run this file too.
//
//   worker-scenes.ts SCENE PATH
import { isMainThread, parentPort, type Worker, workerData } from 'node:worker_threads'
import { type CanonicalStore, open } from 'ledgerstone'
import { report } from '../support/report.ts'
import { ended, startWorker } from '../support/workers.ts'
import type { Happened } from './committer.ts'

interface Part {
  readonly scene: string
  readonly path: string
  readonly name: string
}

const OPTIONS = { flush: { intervalMs: 300 } }

/** Still in use when the worker ends; garbage-collected it would be closed before. */
let kept: unknown
process.once('exit', () => kept)

const inMain: Record<string, (path: string) => Promise<void>> = {
  'open-transaction': async (path) => {
    const store = await open(path, { ...OPTIONS, durability: 'applied' })
    for (const name of ['exits', 'throws', 'is terminated']) {
      const worker = start('open-transaction', path, name)
      worker.on('error', () => {})
      worker.on('message', () => void worker.terminate())
      await ended(worker)
      // With the gate still taken this would be ERR_BUSY.
      store.apply((tx) => tx.put(store.state, 'main', 1))
    }
    report('gate is free')
    await store.close()
  },
  'two-workers': async (path) => {
    await Promise.all(['first', 'second'].map((name) => ended(start('two-workers', path, name))))
  },
  'workers-only-exit': async (path) => {
    start('workers-only-exit', path, 'worker').on('message', () => process.exit(0))
  },
  'unclosed-worker': async (path) => {
    await ended(start('unclosed-worker', path, 'worker'))
    // Were the handle still open these options would contradict it.
    const store = await open(path, { segmentBytes: 128 * 1024 })
    if (store.state.get('worker') === 1) report('closed by the end of the worker')
    await store.close()
  },
  'worker-ends': async (path) => {
    const code = await ended(start('worker-ends', path, 'worker'))
    const store = await open(path)
    if (code === 0 && store.state.get('worker') === 300) report('all there')
    await store.close()
  },
}

const inWorker: Record<string, (store: CanonicalStore<Happened>, name: string) => Promise<void> | void> = {
  'open-transaction': (store, name) => {
    const tx = store.writeTxn()
    tx.put(store.state, name, 'never')
    report(`open with the next id ${tx.append({ writer: name, n: 1 })}`)
    if (name === 'exits') process.exit(0)
    if (name === 'throws') throw new Error('a worker that fails')
    parentPort?.postMessage('now')
    for (;;) tx.get(store.state, name)
  },
  'two-workers': async (store, name) => {
    report(`store ${store.meta().storeId}`)
    for (let n = 1; n <= 200; n++) {
      await store.transact(
        (tx) => {
          tx.put(store.state, name, n)
          tx.append({ writer: name, n })
        },
        { durability: n % 2 === 0 ? 'applied' : 'durable' },
      )
    }
    if (name === 'second') {
      while (store.state.get('first') !== 200) await new Promise((resolve) => setTimeout(resolve, 1))
      report('the second sees what the first wrote')
    }
    await store.close()
  },
  'workers-only-exit': (store) => {
    for (let n = 1; n <= 500; n++) {
      store.apply((tx) => {
        tx.put(store.state, 'worker', n)
        tx.append({ writer: 'worker', n })
      })
    }
    kept = store
    report(`applied ${store.stats().levels.applied}`)
    parentPort?.postMessage('now')
    parentPort?.on('message', () => {}) // and stays
  },
  'unclosed-worker': async (store) => {
    await store.state.put('worker', 1)
  },
  'worker-ends': (store) => {
    kept = store
    for (let n = 1; n <= 300; n++) store.apply((tx) => tx.put(store.state, 'worker', n))
  },
}

if (isMainThread) {
  const [scene, path] = process.argv.slice(2) as [string, string]
  await inMain[scene]?.(path)
} else {
  const { scene, path, name } = workerData as Part
  await inWorker[scene]?.(await open<Happened>(path, OPTIONS), name)
}

function start(scene: string, path: string, name: string): Worker {
  return startWorker(new URL(import.meta.url), { scene, path, name } satisfies Part)
}
