// Rounds of four workers on one path, each terminated at a random moment, and what the store is afterwards, seen from the main thread.
//
//   terminate.ts PATH SEED ROUNDS
import { open, type CanonicalStore } from 'ledgerstone'
import { Random } from '../support/random.ts'
import { report } from '../support/report.ts'
import { startWorker } from '../support/workers.ts'
import type { Acknowledged, Happened, Order } from './committer.ts'

const WORKERS = 4
const COMMITS = 1000

const [path, seed, rounds] = process.argv.slice(2) as [string, string, string]
const random = new Random(Number(seed))
const acknowledged: Acknowledged[] = []
let terminated = 0
for (let round = 0; round < Number(rounds); round++) {
  // In every second round, the store is open on this thread too, and must not notice.
  const mine = round % 2 === 0 ? undefined : await open<Happened>(path)
  await Promise.all(Array.from({ length: WORKERS }, (_, i) => runWorker({ path, writer: `${round}-${i}`, seed: Number(seed) + round * 100 + i, commits: COMMITS })))
  const store = mine ?? (await open<Happened>(path))
  check(store, `round ${round}`)
  await workHere(store, round)
  await store.close()
  const again = await open<Happened>(path)
  check(again, `round ${round}, opened again`)
  await again.close()
  report(`round ${round} ${acknowledged.length} ${terminated}`)
}
report('done')

function runWorker(order: Order): Promise<void> {
  const worker = startWorker(new URL('committer.ts', import.meta.url), order)
  return new Promise((resolve, reject) => {
    const delayMs = random.oneIn(5) ? random.below(20) : random.below(250)
    const terminate = (): void => void worker.terminate().then(() => terminated++)
    if (random.oneIn(8)) setTimeout(terminate, random.below(60)) // while it starts and opens
    worker.on('message', (message: Acknowledged | 'opened' | 'done') => {
      if (message === 'opened') setTimeout(terminate, delayMs)
      else if (message !== 'done') acknowledged.push(message)
    })
    worker.once('error', reject)
    worker.once('exit', () => resolve())
  })
}

/** The gate has been given back, and everything goes on as before. */
async function workHere(store: CanonicalStore<Happened>, round: number): Promise<void> {
  const writer = `main-${round}`
  for (let n = 1; n <= 3; n++) {
    const { seq, lastEventId } = await store.transact((tx) => {
      tx.put(store.state, writer, n)
      tx.append({ writer, n })
    })
    acknowledged.push({ writer, n, seq, event: lastEventId as number, level: 'durable' })
  }
}

function check(store: CanonicalStore<Happened>, when: string): void {
  const newest = new Map<string, number>()
  const events = [...store.events()]
  for (const [i, { id, event }] of events.entries()) {
    if (id !== i + 1) throw new Error(`${when}: event ${id} stands at ${i}`)
    if (event.n !== (newest.get(event.writer) ?? 0) + 1) throw new Error(`${when}: ${event.writer} goes from ${newest.get(event.writer)} to ${event.n}`)
    newest.set(event.writer, event.n)
  }
  const state = new Map(store.state.range() as Iterable<[string, number]>)
  for (const [writer, n] of [...newest, ...state]) {
    if (newest.get(writer) !== n || state.get(writer) !== n) throw new Error(`${when}: ${writer} has ${newest.get(writer)} events, its state is ${state.get(writer)}`)
  }
  if (store.stats().levels.applied !== events.length) throw new Error(`${when}: ${events.length} commits with an event each, seq ${store.stats().levels.applied}`)
  for (const { writer, n, seq, event, level } of acknowledged) {
    const found = events[event - 1]?.event
    if (found?.writer !== writer || found.n !== n || seq !== event) throw new Error(`${when}: lost after it was ${level}: ${writer} ${n}, seq ${seq}, event ${event}`)
  }
}
