// Short programs with readers that stay: one per argument.
//
//   reader-scenes.ts SCENE PATH
import { spawnSync } from 'node:child_process'
import { on } from 'node:events'
import { readFileSync } from 'node:fs'
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { binary, type CanonicalStore, open, type Snapshot } from 'ledgerstone'
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
  'beside-its-own-readers': async (path) => {
    const store = await open(path, { durability: 'applied', flush: { bytes: 65_536, intervalMs: 20 } })
    const fill = (tx: { put: (into: typeof store.state, key: string, value: string) => void }, of: string): void => {
      for (let i = 0; i < 100; i++) tx.put(store.state, `${of}-${i}`, 'x'.repeat(10_000))
    }
    await store.transact((tx) => fill(tx, 'large'))
    const snapshot = store.snapshot()
    await store.flush()
    await store.state.put('beside a snapshot', 1)
    let go = (): void => {}
    const held = new Promise<void>((resolve) => (go = resolve))
    const preflights = []
    for (let i = 0; i < 8; i++) {
      await store.transact((tx) => fill(tx, `round-${i}`))
      preflights.push(
        store.transact({
          keys: { read: [store.state.keys({ prefix: 'large' })] },
          preflight: async (context) => {
            const count = context.range(store.state, { prefix: 'large' }).count()
            await held
            return count
          },
          apply: (tx, count) => tx.put(store.state, `counted-${i}`, count as never),
        }),
      )
      await store.flush()
    }
    const pinned = store.stats().readers.bytes
    go()
    await Promise.all(preflights)
    snapshot.release()
    report(JSON.stringify({ isBeyondTheBound: pinned > 4 * 65_536, counted: store.state.get('counted-7') }))
    await store.close()
  },
  'beside-readers-elsewhere': async (path) => {
    const store = await open(path, { durability: 'applied', flush: { bytes: 65_536, intervalMs: 20 } })
    const worker = startWorker(new URL(import.meta.url), `snapshots:${path}`)
    await told(worker)
    while (store.stats().readers.bytes < 4 * 65_536) {
      store.apply((tx) => tx.put(store.state, 'large', 'x'.repeat(100_000)))
      worker.postMessage('take')
      await told(worker)
      await store.flush()
    }
    const refusal = await store.state.put('a', 1).then(() => 'written', refusalOf)
    worker.postMessage('release')
    await told(worker)
    await store.state.put('a', 2)
    report(JSON.stringify({ refusal, after: store.state.get('a') }))
    await worker.terminate()
    await store.close()
  },
  'a-map-that-cannot-grow': async (path) => {
    const store = await open(path, { durability: 'applied', mapSizeBytes: 1 << 20, flush: { bytes: 65_536, intervalMs: 20 } })
    const snapshot = store.snapshot()
    const { refusal, written } = await untilRefused(Infinity, (n) => store.state.put(`key ${n}`, 'x'.repeat(10_000)))
    const flush = await store.flush().then(() => 'flushed', refusalOf)
    snapshot.release()
    await store.flush()
    await store.state.put('after', 1)
    report(JSON.stringify({ refusal, flush, kept: store.state.range({ prefix: 'key' }).count() === written }))
    await store.close()
  },
  'without-address-space': async (path) => {
    const store = await open(path, { durability: 'applied', mapSizeBytes: 192 << 20, flush: { bytes: 8 << 20 } })
    const blobs = store.collection('blobs', { value: binary() })
    await blobs.put('first', Buffer.alloc(100_000, 1))
    await store.flush()
    const limit = (bytes: string): number | null => spawnSync('prlimit', ['--pid', `${process.pid}`, `--as=${bytes}:unlimited`]).status
    const kib = Number(/VmSize:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1])
    // Room for the heap and for a part of what the map grows by, and not for all that is written.
    if (limit(`${kib * 1024 + (160 << 20)}`) !== 0) return report('skipped: prlimit cannot be run')
    const { refusal, written } = await untilRefused(600, (n) => blobs.put(`key ${n}`, Buffer.alloc(1 << 20, n)))
    const isWhole = (): boolean => Array.from({ length: written }, (_, i) => blobs.get(`key ${i}`)?.[0] === (i & 255)).every(Boolean)
    const before = isWhole()
    limit('unlimited')
    let healed = false
    for (let i = 0; i < 100 && !healed; i++) {
      healed = await blobs.put('after', Buffer.alloc(1)).then(
        () => true,
        () => false,
      )
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    report(JSON.stringify({ refusal, before, healed, after: isWhole() }))
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
} else if ((workerData as string).startsWith('snapshots:')) {
  const store = await open((workerData as string).slice('snapshots:'.length))
  const taken: Snapshot<unknown>[] = []
  parentPort?.on('message', (what) => {
    if (what === 'take') taken.push(store.snapshot())
    else for (const snapshot of taken.splice(0)) snapshot.release()
    parentPort?.postMessage(what)
  })
  parentPort?.postMessage('ready')
} else {
  const store = await open(workerData as string)
  const value = store.state.get('key 1')
  kept = store
  parentPort?.postMessage(typeof value)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

/** Writes until a write is refused, or enough are done: how many were, and the error of the next one. */
async function untilRefused(most: number, write: (number: number) => Promise<unknown>): Promise<{ refusal: unknown; written: number }> {
  for (let written = 0; written < most; written++) {
    try {
      await write(written)
    } catch (error) {
      return { refusal: refusalOf(error), written }
    }
  }
  return { refusal: undefined, written: most }
}

/** The error of a call that did not get in. */
function refusalOf(error: unknown): { code: string; message: string; retryable: boolean } {
  const { code, message, retryable } = error as { code: string; message: string; retryable: boolean }
  return { code, message, retryable }
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
