// A counter service on several threads: each worker opens the same store and answers requests for the next number. No number is given twice and none is left
// out, because a transaction is alone over all threads; and what was answered is on the device.
//
//   node examples/counter/main.js [--workers N] [--requests N]
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { open, retry } from 'ledgerstone'

interface Request {
  readonly id: number
  readonly counter: string
}
interface Answer {
  readonly id: number
  readonly value: number
}

const COUNTERS = ['visits', 'orders', 'invoices']

if (isMainThread) await main()
else await serve(workerData as string)

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { workers: { type: 'string', default: '3' }, requests: { type: 'string', default: '1500' } } })
  const [threads, requests] = [Number(values.workers), Number(values.requests)]
  const folder = mkdtempSync(join(tmpdir(), 'ledgerstone-counter-'))
  const path = join(folder, 'store')
  const workers = Array.from({ length: threads }, () => new Worker(new URL(import.meta.url), { workerData: path }))

  const given = new Map(COUNTERS.map((counter) => [counter, [] as number[]]))
  const asked: Request[] = Array.from({ length: requests }, (_, id) => ({ id, counter: COUNTERS[id % COUNTERS.length] as string }))
  await Promise.all(
    workers.map(async (worker, n) => {
      for (const { id, value } of await ask(
        worker,
        asked.filter((request) => request.id % threads === n),
      )) {
        given.get(COUNTERS[id % COUNTERS.length] as string)?.push(value)
      }
    }),
  )

  const store = await open(path)
  for (const [counter, numbers] of given) {
    const inOrder = numbers.toSorted((a, b) => a - b)
    const isWhole = inOrder.every((value, n) => value === n + 1) && store.state.get(counter) === numbers.length
    console.log(`${counter}: ${numbers.length} numbers by ${threads} workers, ${isWhole ? 'each once' : 'not each once'}`)
  }
  await store.close()
  rmSync(folder, { recursive: true })
}

/** Sends all requests at once and waits for the answers and the worker's end. */
function ask(worker: Worker, requests: readonly Request[]): Promise<Answer[]> {
  return new Promise((resolve, reject) => {
    const answers: Answer[] = []
    worker.on('message', (answer: Answer) => {
      answers.push(answer)
      if (answers.length === requests.length) worker.postMessage('close')
    })
    worker.once('error', reject)
    worker.once('exit', () => resolve(answers))
    for (const request of requests) worker.postMessage(request)
    if (requests.length === 0) worker.postMessage('close')
  })
}

async function serve(path: string): Promise<void> {
  const store = await open(path)
  const { state } = store
  const answer = async ({ id, counter }: Request): Promise<void> => {
    const { result: value } = await retry(() =>
      store.transact((tx) => {
        const next = Number(tx.get(state, counter) ?? 0) + 1
        tx.put(state, counter, next)
        return next
      }),
    )
    parentPort?.postMessage({ id, value } satisfies Answer)
  }
  const close = async (): Promise<void> => {
    await store.close()
    parentPort?.close()
  }
  parentPort?.on('message', (request: Request | 'close') => void (request === 'close' ? close() : answer(request)))
}
