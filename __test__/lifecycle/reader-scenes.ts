// Short programs with readers that stay: one per argument.
//
//   reader-scenes.ts SCENE PATH
import { on } from 'node:events'
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { type CanonicalStore, open } from 'ledgerstone'
import { report } from '../support/report.ts'
import { startWorker, told } from '../support/workers.ts'

const KEYS = 300
const ROUNDS = 50

/** Still in use when the process ends; garbage-collected it would be released before. */
let kept: unknown
process.once('exit', () => kept)

const scenes: Record<string, (path: string) => Promise<void>> = {
  'file-growth': async (path) => {
    const store = await open(path, { durability: 'applied', flush: { intervalMs: 3_600_000 } })
    await rewrite(store, 1)
    const worker = startWorker(new URL(import.meta.url), path)
    await told(worker) // it has read, and will not do anything any more
    await rewrite(store, 10)
    const settled = store.stats().state.bytes
    await rewrite(store, ROUNDS)
    const idle = store.stats()
    const snapshot = store.snapshot()
    await rewrite(store, ROUNDS)
    const held = store.stats()
    snapshot.release()
    const released = store.stats().readers
    await rewrite(store, ROUNDS)
    const after = store.stats()
    report(JSON.stringify({ settled, idle: [idle.state.bytes, idle.readers], held: [held.state.bytes, held.readers], released, after: after.state.bytes }))
    await worker.terminate()
    await store.close()
  },
  'two-readers': async (path) => {
    const alive = setInterval(() => {}, 1000) // the warning alone keeps no process
    const warned = { snapshots: 0, iterations: 0, paths: new Set<unknown>() }
    const warnings = on(process, 'warning') as AsyncIterable<[Error & { code?: string }]>
    const store = await open(path, { durability: 'applied', readers: { warnAfterMs: 10 } })
    await rewrite(store, 1)
    const snapshot = store.snapshot()
    const iteration = store.state.range()[Symbol.iterator]()
    iteration.next()
    for await (const [warning] of warnings) {
      const [, path, snapshots, iterations, oldestMs] = /path=(\S+) snapshots=(\d+) iterations=(\d+) oldestMs=(\d+)$/.exec(warning.message) ?? []
      if (warning.code !== 'LEDGERSTONE_LONG_READER' || warning.name !== 'LedgerstoneWarning' || Number(oldestMs) < 10) throw warning
      warned.snapshots += Number(snapshots)
      warned.iterations += Number(iterations)
      warned.paths.add(path)
      if (warned.snapshots > 0 && warned.iterations > 0) break
    }
    report(JSON.stringify({ ...warned, paths: [...warned.paths], readers: store.stats().readers.snapshots, isAged: store.stats().readers.oldestMs >= 10 }))
    iteration.return?.()
    snapshot.release()
    clearInterval(alive)
    await store.close()
  },
  'idle-with-a-snapshot': async (path) => {
    const store = await open(path, { readers: { warnAfterMs: 600_000 } })
    kept = [store, store.snapshot()]
    report('holding')
  },
}

if (isMainThread) {
  const [scene, path] = process.argv.slice(2) as [string, string]
  await (scenes[scene] as (path: string) => Promise<void>)(path)
} else {
  const store = await open(workerData as string)
  const value = store.state.get('key 1')
  kept = store
  parentPort?.postMessage(typeof value)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

/** So many flushes, each of which writes every value anew. */
async function rewrite(store: CanonicalStore, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    store.apply((tx) => {
      for (let n = 0; n < KEYS; n++) tx.put(store.state, `key ${n}`, String(round).padEnd(1000, '.'))
    })
    await store.flush()
  }
}
