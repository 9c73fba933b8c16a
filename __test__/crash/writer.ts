// The child of the kill test. It opens the store, writes transactions from the main thread and, when asked, from worker threads, reads beside them,
// terminates workers in the middle and starts others, reports every commit once it has what it was promised, and flushes and closes now and then.
// It is killed at any moment.
//
//   writer.ts PLAN     JSON
import { setTimeout as sleep } from 'node:timers/promises'
import { isMainThread, workerData } from 'node:worker_threads'
import { open, type OpenOptions } from 'ledgerstone'
import { Random } from '../support/random.ts'
import { report } from '../support/report.ts'
import { ended, startWorker } from '../support/workers.ts'
import { Readings } from './readings.ts'
import { Transactions } from './transactions.ts'
import type { Store, Told } from './workload.ts'

/** What a child does. */
export interface Plan {
  readonly path: string
  readonly seed: number
  /** Worker threads that write at the same time. */
  readonly workers: number
  /** So many transactions of each thread, then the end. */
  readonly commits: number
  /** Whether each thread reads, too. */
  readonly reads: boolean
  /** A worker is terminated and another started about so often, in milliseconds; 0 for never. */
  readonly terminatesEveryMs: number
}

const RETRY_MS = 20

interface Part {
  readonly plan: Plan
  readonly writer: string
}

if (isMainThread) await runMain(JSON.parse(process.argv[2] as string) as Plan)
else await runWorker(workerData as Part)

async function runMain(plan: Plan): Promise<void> {
  const random = new Random(plan.seed)
  report('opening')
  const store = await openStore(plan, random)
  report('opened')
  const workers = Array.from({ length: plan.workers }, (_, i) => keepWorker(plan, i, random))
  await work(store, plan, random, `main-${plan.seed}`)
  await Promise.all(workers)
  report('closing')
  await close(store)
  report('closed')
}

async function runWorker({ plan, writer }: Part): Promise<void> {
  const random = new Random(plan.seed)
  const store = await openStore(plan, random)
  await work(store, plan, random, writer)
  await close(store)
}

async function work(store: Store, plan: Plan, random: Random, writer: string): Promise<void> {
  const readings = new Readings(store, new Random(plan.seed + 1))
  const reading = plan.reads ? readings.read() : undefined
  await new Transactions(store, random, writer).write(plan.commits)
  readings.stop()
  await reading
}

/** A worker to its end; each that is terminated is followed by another, three at the most. */
async function keepWorker(plan: Plan, index: number, random: Random): Promise<void> {
  for (let life = 0; life < 4; life++) {
    const part: Part = { plan: { ...plan, seed: plan.seed + 1000 + index * 10 + life }, writer: `worker-${plan.seed}-${index}-${life}` }
    const worker = startWorker(new URL(import.meta.url), part)
    const isOver = ended(worker).then(() => true)
    if (plan.terminatesEveryMs === 0 || life === 3) await isOver
    if (await Promise.race([isOver, sleep(random.below(2 * plan.terminatesEveryMs), false)])) return
    await worker.terminate()
    report('terminated')
  }
}

async function openStore(plan: Plan, random: Random): Promise<Store> {
  const options: OpenOptions<Told> = {
    flush: { bytes: random.pick([64, 128, 1024]) * 1024, intervalMs: random.pick([5, 30, 1000]) },
    segmentBytes: 64 * 1024,
    inlineFlush: random.oneIn(2) ? 'auto' : 'never',
    durability: 'written',
  }
  for (let isOthers = false; ;) {
    try {
      return await open<Told>(plan.path, isOthers ? { durability: 'written' } : options)
    } catch (error) {
      const { code } = error as { code?: string }
      // Two threads draw separate options; the second one uses the store as the first has opened it.
      if (code === 'ERR_OPTIONS_MISMATCH') isOthers = true
      else if (code === 'ERR_NO_SPACE') await sleep(RETRY_MS)
      else throw error
    }
  }
}

/** On a full device it closes, too, and says when it could not keep what was only applied. */
async function close(store: Store): Promise<void> {
  await store.close().catch((error: { code?: string }) => {
    if (error.code !== 'ERR_NO_SPACE') throw error
  })
}
