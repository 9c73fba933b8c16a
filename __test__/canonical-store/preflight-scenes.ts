// Preflights across threads, one program per argument; the workers run this file too.
//
//   preflight-scenes.ts SCENE PATH
import { isMainThread, parentPort, type Worker, workerData } from 'node:worker_threads'
import { type CanonicalStore, open, retry } from 'ledgerstone'
import { report } from '../support/report.ts'
import { ended, startWorker, told } from '../support/workers.ts'

interface Part {
  readonly scene: string
  readonly path: string
  readonly shared: Int32Array
}

const FOR_EVER = { timeoutMs: 60_000, durability: 'applied' } as const
const PREFLIGHTS = 2_000
const TRANSFERS = 500
const ACCOUNTS = ['a', 'b', 'c'] as const

const inMain: Record<string, (store: CanonicalStore) => Promise<void>> = {
  // It dies in its preflight, with the lock; what waits for that lock gets it.
  'holder-dies': async (store) => {
    const worker = start('stays', store.path)
    await told(worker)
    const mine = mark(store)
    report(figures(store))
    await worker.terminate()
    await mine
    report(`${figures(store)}, applied by ${store.state.get('k') as string}`)
  },
  // It dies waiting for the lock; its preflight never runs.
  'waiter-dies': async (store) => {
    let go = (): void => {}
    const gate = new Promise<void>((resolve) => (go = resolve))
    const mine = mark(store, gate)
    const worker = start('stays', store.path)
    while (store.locks.stats().waiting === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    report(figures(store))
    await worker.terminate()
    go()
    await mine
    report(`${figures(store)}, applied by ${store.state.get('k') as string}`)
  },
  // Another thread changes two keys together, without locks, all the time: a preflight must never see them apart, nor apply on what is gone.
  'one-point': async (store) => {
    const shared = new Int32Array(new SharedArrayBuffer(8))
    await store.state.put('x', 0)
    await store.state.put('y', 0)
    const worker = start('changes', store.path, shared)
    await told(worker)
    let torn = 0
    const { state } = store
    for (let n = 0; n < PREFLIGHTS; n++) {
      await retry(
        () =>
          store.transact(
            {
              keys: { read: [state.key('x'), state.key('y')] },
              preflight: async (ctx) => {
                const x = ctx.get(state, 'x')
                if (n % 2 === 0) await Promise.resolve()
                const y = ctx.get(state, 'y')
                if (x !== y) torn++
                return x
              },
              apply: (tx, x) => {
                if (tx.get(state, 'x') !== x) torn++
              },
            },
            FOR_EVER,
          ),
        { attempts: 1_000, minDelayMs: 0, maxDelayMs: 1 },
      )
    }
    Atomics.store(shared, 0, 1)
    await ended(worker)
    report(`${PREFLIGHTS} preflights, ${torn === 0 ? 'none' : torn} torn`)
    report(figures(store))
  },
  transfers: async (store) => {
    for (const id of ACCOUNTS) await store.state.put(id, 1_000)
    const workers = [start('transfers', store.path), start('transfers', store.path)]
    await Promise.all([transfers(store), ...workers.map(ended)])
    const sum = ACCOUNTS.reduce((all, id) => all + Number(store.state.get(id)), 0)
    report(`3 threads, ${3_000 - sum} lost`)
    report(figures(store))
  },
}

const inWorker: Record<string, (store: CanonicalStore, shared: Int32Array) => Promise<void>> = {
  stays: async (store) => {
    // Its preflight never ends; something has to keep the thread alive until it is terminated.
    setInterval(() => {}, 1_000)
    await store.transact(
      {
        keys: { write: [store.state.key('k')] },
        preflight: () => {
          parentPort?.postMessage('now')
          return new Promise<string>(() => {})
        },
        apply: (tx) => tx.put(store.state, 'k', 'a worker'),
      },
      FOR_EVER,
    )
  },
  changes: async (store, shared) => {
    for (let n = 1; Atomics.load(shared, 0) === 0; n++) {
      await store.transact(
        (tx) => {
          tx.put(store.state, 'x', n)
          tx.put(store.state, 'y', n)
        },
        { durability: 'applied' },
      )
      if (n === 10) parentPort?.postMessage('now')
      if (n % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 1)) // so that some come through
    }
    await store.close()
  },
  transfers: async (store) => {
    await transfers(store)
    await store.close()
  },
}

if (isMainThread) {
  const [scene, path] = process.argv.slice(2) as [string, string]
  const store = await open(path)
  await inMain[scene]?.(store)
  await store.close()
} else {
  const { scene, path, shared } = workerData as Part
  await inWorker[scene]?.(await open(path), shared)
}

/** Moves 1 from account to account, by values that its preflight has read: without the locks or the validation some would be lost. */
async function transfers(store: CanonicalStore): Promise<void> {
  const { state } = store
  for (let n = 0; n < TRANSFERS; n++) {
    const [from, to] = [ACCOUNTS[n % 3] as string, ACCOUNTS[(n + 1) % 3] as string]
    await retry(() =>
      store.transact(
        {
          keys: { write: [state.key(from), state.key(to)] },
          preflight: async (ctx) => {
            await Promise.resolve()
            return ctx.getMany(state, [from, to]) as [number, number]
          },
          apply: (tx, [a, b]) => {
            tx.put(state, from, a - 1)
            tx.put(state, to, b + 1)
          },
        },
        FOR_EVER,
      ),
    )
    if (n % 10 === 0) {
      store.apply((tx) => {
        tx.put(state, 'a', Number(tx.get(state, 'a')) - 1)
        tx.put(state, 'b', Number(tx.get(state, 'b')) + 1)
      })
    }
  }
}

function mark(store: CanonicalStore, until: Promise<void> = Promise.resolve()): Promise<unknown> {
  return store.transact({ keys: { write: [store.state.key('k')] }, preflight: () => until, apply: (tx) => tx.put(store.state, 'k', 'main') }, FOR_EVER)
}

function start(scene: string, path: string, shared: Int32Array = new Int32Array(2)): Worker {
  return startWorker(new URL(import.meta.url), { scene, path, shared } satisfies Part)
}

function figures(store: CanonicalStore): string {
  const { held, waiting } = store.stats().locks
  return `held ${held} waiting ${waiting}`
}
