// One to four worker threads on one store: what they do together, as a multiple of what one does alone. The numbers of threads take turns.
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { binary, open } from 'ledgerstone'
import type { Figures, Probe } from '../child.ts'
import { Random, VALUE_BYTES, keysFor } from '../peer.ts'
import { median } from '../statistics.ts'
import type { Errand, Kind, ThreadData } from '../thread.ts'

const THREADS = [1, 2, 3, 4]
const KINDS: readonly Kind[] = ['get, random', 'durable commits, one after another', 'durable commits, 16 at once', 'applied commits']
const ROUNDS = 3
const PER_COMMIT = 1000
const QUICK_RECORDS = 100_000

export const probe: Probe = {
  title: `worker threads on one store, ${availableParallelism()} cores`,
  targets: [
    { figure: 'get, random, times one thread', column: '2 threads', must: 1.5, aim: 1.8, better: 'more' },
    ...['durable commits, one after another', 'durable commits, 16 at once', 'applied commits'].flatMap((kind) =>
      ['2 threads', '4 threads'].map((column) => ({ figure: `${kind}, times one thread`, column, must: 0.9, aim: 1, better: 'more' as const })),
    ),
  ],
  async run(folder, size) {
    const isQuick = size.records < QUICK_RECORDS
    const store = await open(folder, { events: binary() })
    const records = store.collection('records', { key: binary(), value: binary() })
    const keys = keysFor(size.records)
    const value = new Random(3).bytes(VALUE_BYTES)
    for (let at = 0; at < keys.length; at += PER_COMMIT) {
      await store.transact((tx) => keys.slice(at, at + PER_COMMIT).forEach((key) => tx.put(records, key, value)), { durability: 'applied' })
    }
    await store.flush()
    const workers = await Promise.all(Array.from({ length: Math.max(...THREADS) }, (_, n) => started({ folder, records: size.records, seed: 11 + n })))
    const rates = new Map<string, number[]>()
    for (let round = 0; round < (isQuick ? 1 : ROUNDS); round++) {
      for (const kind of KINDS) {
        for (const threads of THREADS) {
          const rate = await together(workers.slice(0, threads), { kind, ms: size.ms / 2 })
          const name = `${kind} ${threads}`
          rates.set(name, [...(rates.get(name) ?? []), rate])
          await store.flush()
        }
      }
    }
    await Promise.all(workers.map(ended))
    await store.close()
    return figuresOf(rates)
  },
}

function figuresOf(rates: ReadonlyMap<string, readonly number[]>): Figures {
  const of = (kind: Kind, threads: number): readonly number[] => rates.get(`${kind} ${threads}`) ?? []
  const columns = (figure: (threads: number) => number): Record<string, number> =>
    Object.fromEntries(THREADS.map((threads) => [threads === 1 ? '1 thread' : `${threads} threads`, figure(threads)]))
  return Object.fromEntries(
    KINDS.flatMap((kind) => [
      [`${kind}, per second`, columns((threads) => median(of(kind, threads)))],
      [`${kind}, times one thread`, columns((threads) => median(of(kind, threads).map((rate, round) => rate / (of(kind, 1)[round] ?? NaN))))],
    ]),
  )
}

/** Operations per second of all of them. */
async function together(workers: readonly Worker[], errand: Errand): Promise<number> {
  const startedMs = performance.now()
  const done = await Promise.all(
    workers.map((worker) => {
      const answer = told(worker)
      worker.postMessage(errand)
      return answer as Promise<number>
    }),
  )
  return (done.reduce((sum, count) => sum + count, 0) * 1000) / (performance.now() - startedMs)
}

async function started(data: ThreadData): Promise<Worker> {
  const program = new URL(`../thread${extname(fileURLToPath(import.meta.url))}`, import.meta.url)
  const worker = new Worker(program, { workerData: data })
  await told(worker)
  return worker
}

/** The next message; what the thread throws instead is thrown. */
async function told(worker: Worker): Promise<unknown> {
  const [message] = (await once(worker, 'message')) as [unknown]
  return message
}

async function ended(worker: Worker): Promise<void> {
  const exit = once(worker, 'exit')
  worker.postMessage('end')
  await exit
}
