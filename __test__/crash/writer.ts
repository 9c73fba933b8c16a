// The child of the kill test. It opens the store, writes transactions from the main thread and, when asked, from worker threads, reports every
// commit once it has what it was promised, and flushes and closes now and then. It is killed at any moment.
//
//   writer.ts PATH SEED WORKERS COMMITS
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { open } from 'ledgerstone'
import { Random } from '../support/random.ts'
import { report } from '../support/report.ts'
import { Transactions } from './transactions.ts'
import type { Told } from './workload.ts'

interface Start { readonly path: string; readonly seed: number; readonly writer: string; readonly commits: number }

if (isMainThread) {
  const [path, seed, workers, commits] = process.argv.slice(2) as [string, string, string, string]
  await run({ path, seed: Number(seed), writer: 'main', commits: Number(commits) }, Number(workers))
} else {
  await run(workerData as Start, 0)
}

async function run(start: Start, workers: number): Promise<void> {
  const random = new Random(start.seed)
  if (isMainThread) report('opening')
  const store = await open<Told>(start.path, {
    flush: { bytes: random.pick([64, 128, 1024]) * 1024, intervalMs: random.pick([5, 30, 1000]) },
    segmentBytes: 64 * 1024,
    inlineFlush: random.oneIn(2) ? 'auto' : 'never',
    durability: 'written',
  }).catch((error: { code: string }) => {
    // Two threads draw their own options; whoever comes second takes what is there.
    if (error.code !== 'ERR_OPTIONS_MISMATCH') throw error
    return open<Told>(start.path, { durability: 'written' })
  })
  if (isMainThread) report('opened')
  const threads = Array.from({ length: workers }, (_, i) => {
    const data: Start = { ...start, seed: start.seed + 1000 + i, writer: `worker-${start.seed}-${i}` }
    return new Promise((resolve) => new Worker(new URL(import.meta.url), { workerData: data }).once('exit', resolve))
  })
  await new Transactions(store, random, start.writer === 'main' ? `main-${start.seed}` : start.writer).write(start.commits)
  await Promise.all(threads)
  if (isMainThread) report('closing')
  await store.close()
  if (isMainThread) report('closed')
}
