// What it costs that a function which has to wait runs in its caller's async context: transactions that wait behind a pause, beside such as run at once, with
// nothing in the context and with something.
import { AsyncLocalStorage } from 'node:async_hooks'
import { join } from 'node:path'
import { open, type CanonicalStore } from 'ledgerstone'
import type { Probe } from '../child.ts'

const CALLS = 100_000
const QUICK_PART = 10
const QUICK_RECORDS = 100_000

export const probe: Probe = {
  title: 'kept contexts, ns a transaction',
  async run(folder, size) {
    const calls = size.records < QUICK_RECORDS ? CALLS / QUICK_PART : CALLS
    const store = await open(join(folder, 'store'), { durability: 'applied' })
    const request = new AsyncLocalStorage<number>()
    const round = async (): Promise<Readonly<Record<string, Readonly<Record<string, number>>>>> => ({
      'without a context': { 'at once': await atOnce(store, calls), 'behind a pause': await waiting(store, calls) },
      'in a context': await request.run(17, async () => ({ 'at once': await atOnce(store, calls), 'behind a pause': await waiting(store, calls) })),
    })
    await round() // warms up
    const figures = await round()
    await store.close()
    return figures
  },
}

const add = (store: CanonicalStore, n: number): Promise<unknown> =>
  store.transact((tx) => {
    tx.put(store.state, `key ${n % 1000}`, n)
  })

async function atOnce(store: CanonicalStore, calls: number): Promise<number> {
  const startedMs = performance.now()
  await Promise.all(Array.from({ length: calls }, (_, n) => add(store, n)))
  return ((performance.now() - startedMs) * 1e6) / calls
}

async function waiting(store: CanonicalStore, calls: number): Promise<number> {
  const pause = await store.pauseIngestion()
  const startedMs = performance.now()
  const transactions = Array.from({ length: calls }, (_, n) => add(store, n))
  pause.release()
  await Promise.all(transactions)
  return ((performance.now() - startedMs) * 1e6) / calls
}
