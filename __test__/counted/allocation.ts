// What reads leave on the JavaScript heap, by kind, and transactions up to the promise of each. Nothing is collected during the count (a collection would be
// noticed, and the count repeated): the heap grows by what was allocated. Reports one line of JSON for each kind.
//
//   allocation.ts PATH READS        READS of all kinds together; with --expose-gc and a young generation that holds a slice of the reads
import { GCProfiler } from 'node:v8'
import { binary, open, utf8, type Collection } from 'ledgerstone'
import { report } from '../support/report.ts'

const [path, reads] = process.argv.slice(2) as [string, string]
/** Records; each kind reads them over and over, the ranges from end to end. */
const RECORDS = 20_000
const SLICE = 20_000
const VALUE_BYTES = 100
const EVENT_BYTES = 200

declare const gc: () => void

/** Bytes per read: of the heap, and of memory outside it. */
interface Cost {
  readonly heap: number
  readonly outside: number
}

const store = await open<Buffer>(path, { events: binary(), flush: { intervalMs: 3_600_000, bytes: 2 ** 28 } })
const bytes = store.collection('bytes', { key: binary(), value: binary() })
const text = store.collection('text', { key: utf8(), value: utf8() })
const byteKeys: Buffer[] = []
const missingKeys: Buffer[] = []
const textKeys: string[] = []
for (let n = 0; n < RECORDS; n++) {
  byteKeys.push(Buffer.from(`key ${String(n).padStart(12, '0')}`))
  missingKeys.push(Buffer.from(`key ${String(n).padStart(11, '0')}m`))
  textKeys.push(`key ${String(n).padStart(12, '0')}`)
}
for (let n = 0; n < RECORDS; n += 1000) {
  store.apply((tx) => {
    for (let i = n; i < n + 1000; i++) {
      tx.put(bytes, byteKeys[i] as Buffer, Buffer.alloc(VALUE_BYTES, i))
      tx.put(text, textKeys[i] as string, 'v'.repeat(VALUE_BYTES))
    }
    tx.appendAll(Array.from({ length: 1000 }, (_, i) => Buffer.alloc(EVENT_BYTES, i)))
  })
}
await store.flush()

const kinds: Record<string, () => number> = {
  'get, a Buffer': () => pointReads(bytes, byteKeys),
  'get, missing': () => pointReads(bytes, missingKeys),
  'get, a string': () => pointReads(text, textKeys),
  has: () => {
    let found = 0
    for (let n = 0; n < SLICE; n++) if (bytes.has(byteKeys[n] as Buffer)) found++
    return found
  },
  'getMany of 100, Buffers': () => {
    let found = 0
    for (let n = 0; n < SLICE; n += 100) for (const value of bytes.getMany(hundreds[n / 100] as Buffer[])) found += value === undefined ? 0 : 1
    return found
  },
  'range, Buffers': () => pass(bytes.range()),
  'range, strings': () => pass(text.range()),
  'range, keys': () => pass(text.range().keys()),
  'events, one by one': () => pass(store.events()),
  'events, by pages': () => {
    let seen = 0
    for (const page of store.events().pages()) seen += page.length
    return seen
  },
  'event(id), a Buffer': () => {
    let found = 0
    for (let n = 0; n < SLICE; n++) if (store.event(n + 1) !== undefined) found++
    return found
  },
  // Last: they write.
  transact: () => {
    for (let n = 0; n < SLICE; n++) {
      const key = byteKeys[n] as Buffer
      void store.transact((tx) => {
        tx.put(bytes, key, small)
        tx.append(small)
      })
    }
    return SLICE
  },
}
const small = Buffer.alloc(8)
const hundreds = Array.from({ length: SLICE / 100 }, (_, n) => byteKeys.slice(n * 100, n * 100 + 100))

for (const [name, read] of Object.entries(kinds)) {
  for (let round = 0; round < 5; round++) {
    read()
    await compiled()
  }
  const costs: Cost[] = []
  // The least counts: what every read allocates is in all slices, and compiling, which a busy machine puts off, only adds to that.
  while (costs.length < Number(reads) / SLICE / Object.keys(kinds).length) {
    await compiled()
    const cost = costOf(read)
    if (cost !== undefined) costs.push(cost)
  }
  report(JSON.stringify({ name, heap: Math.min(...costs.map(({ heap }) => heap)), outside: Math.min(...costs.map(({ outside }) => outside)) }))
}
await store.close()
report('closed')

function pointReads<K, V>(collection: Collection<K, V>, keys: readonly K[]): number {
  let found = 0
  for (let n = 0; n < SLICE; n++) if (collection.get(keys[n] as K) !== undefined) found++
  return found
}

function pass(records: Iterable<unknown>): number {
  let seen = 0
  for (const _ of records) seen++
  return seen
}

/** `undefined` when something was collected during it. */
function costOf(read: () => number): Cost | undefined {
  gc()
  gc() // finishes the sweeping that the first has begun
  const profiler = new GCProfiler()
  profiler.start()
  const before = process.memoryUsage()
  read()
  const after = process.memoryUsage()
  if (profiler.stop().statistics.length > 0) return undefined
  return { heap: (after.heapUsed - before.heapUsed) / SLICE, outside: (after.arrayBuffers - before.arrayBuffers) / SLICE }
}

/** Code is compiled beside this thread: it gets a moment for that. */
function compiled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10))
}
