// One of several worker threads on one store: does one kind of work for some time when the main thread asks for it, and reports how much it was.
import { parentPort, workerData } from 'node:worker_threads'
import { binary, open } from 'ledgerstone'
import { EVENT_BYTES, Random, VALUE_BYTES, keysFor } from './peer.ts'

export type Kind = 'get, random' | 'durable commits, one after another' | 'durable commits, 16 at once' | 'applied commits'

export interface ThreadData {
  readonly folder: string
  readonly records: number
  /** Each thread has its own order of keys. */
  readonly seed: number
}

export interface Errand {
  readonly kind: Kind
  readonly ms: number
}

const READS_PER_STEP = 200
const AT_ONCE = 16
const APPLIED_PER_TURN = 500

const { folder, records: count, seed } = workerData as ThreadData
const store = await open(folder, { events: binary() })
const records = store.collection('records', { key: binary(), value: binary() })
const keys = keysFor(count)
const random = new Random(seed)
const value = random.bytes(VALUE_BYTES)
const event = random.bytes(EVENT_BYTES)
const anyKey = (): Buffer => keys[random.below(keys.length)]!

function commit(durability: 'applied' | 'durable'): Promise<unknown> {
  const key = anyKey()
  return store.transact(
    (tx) => {
      tx.put(records, key, value)
      tx.append(event)
    },
    { durability },
  )
}

const steps: Record<Kind, () => Promise<number> | number> = {
  'get, random': () => {
    for (let i = 0; i < READS_PER_STEP; i++) if (records.get(anyKey())?.length !== VALUE_BYTES) throw new Error('a record is missing')
    return READS_PER_STEP
  },
  'durable commits, one after another': async () => {
    await commit('durable')
    return 1
  },
  'durable commits, 16 at once': async () => {
    await Promise.all(Array.from({ length: AT_ONCE }, () => commit('durable')))
    return AT_ONCE
  },
  'applied commits': async () => {
    await Promise.all(Array.from({ length: APPLIED_PER_TURN }, () => commit('applied')))
    return APPLIED_PER_TURN
  },
}

async function run({ kind, ms }: Errand): Promise<void> {
  const step = steps[kind]
  const end = performance.now() + ms
  let done = 0
  while (performance.now() < end) {
    const counted = step()
    done += typeof counted === 'number' ? counted : await counted
  }
  parentPort?.postMessage(done)
}

parentPort?.on('message', (errand: Errand | 'end') => {
  if (errand !== 'end') void run(errand)
  else void store.close().then(() => parentPort?.close())
})
parentPort?.postMessage('ready')
