// What grows with the data and what does not: the same work on stores of 10,000 records and events, of a million, of ten million. A column is a size.
import { fork } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { binary, open, type CanonicalStore, type Collection } from 'ledgerstone'
import type { Probe } from '../child.ts'
import { EVENT_BYTES, Random, VALUE_BYTES } from '../peer.ts'
import { median } from '../statistics.ts'

const PER_COMMIT = 10_000
const SAMPLES = 100
const READS_PER_SAMPLE = 500
const DURABLE_COMMITS = 300
const OPENINGS = 7
const KILLS = 3
const UNFLUSHED_COMMITS = 20_000
const MEBIBYTE = 1024 * 1024
const HISTORY_COMMITS = 200
const GROWTH = 'event(id), largest to smallest'
const TMPFS = 0x01021994
const IS_COUNTED = process.platform === 'linux'

type Store = CanonicalStore<Buffer, Uint8Array>
type Records = Collection<Uint8Array, Buffer, Uint8Array>

export const probe: Probe = {
  title: 'growth: records and events in the store',
  targets: [{ figure: GROWTH, must: 2, aim: 1.3, better: 'less' }],
  async run(folder, { scales }) {
    const figures: Record<string, Record<string, number>> = {}
    for (const count of scales) {
      const at = mkdtempSync(join(isInMemory(tmpdir()) ? folder : tmpdir(), 'ledgerstone-scale-'))
      try {
        for (const [what, value] of Object.entries(await column(at, count))) (figures[what] ??= {})[count.toLocaleString('en-US')] = value
      } finally {
        rmSync(at, { recursive: true, force: true })
      }
    }
    return { ...figures, ...growth(figures) }
  },
}

async function column(folder: string, count: number): Promise<Record<string, number>> {
  const fillSeconds = await fill(folder, count)
  const openMs: number[] = []
  for (let i = 0; i < OPENINGS; i++) {
    const startedMs = performance.now()
    const { store } = await openStore(folder)
    openMs.push(performance.now() - startedMs)
    await store.close()
  }
  const { store, records } = await openStore(folder)
  const random = new Random(8)
  const readers = {
    'get, ns': () => records.get(keyOf(random.below(count)))?.length,
    'first entry of a range, ns': () => [...records.range({ gte: keyOf(random.below(count)), limit: 1 })][0]?.[1].length,
    'event(id), ns': () => store.event(1 + random.below(count))?.event.length,
  }
  readThrough(store)
  const nanos = Object.entries(readers).map(([what, read]) => [what, nanosOf(read)] as const)
  const counted = IS_COUNTED ? readCost(readers['event(id), ns']) : {}
  const durableMicros = await durableCommit(store, records)
  await store.close()
  const historyMs = await openingsBehindHistory(folder)
  const journalMebibytes = journalBytes(folder) / MEBIBYTE
  const recoveryMs = await recovery(folder)
  return {
    'filled in, s': fillSeconds,
    ...Object.fromEntries(nanos),
    ...counted,
    'durable commit, µs': durableMicros,
    'clean open, ms': median(openMs),
    [`clean open behind ${HISTORY_COMMITS} MiB of recycled journal, ms`]: historyMs,
    'journal of a closed store, MiB': journalMebibytes,
    [`recovery of ${UNFLUSHED_COMMITS.toLocaleString('en-US')} commits after a kill, ms`]: recoveryMs,
  }
}

async function openStore(folder: string): Promise<{ store: Store; records: Records }> {
  const store = await open(folder, { events: binary() })
  return { store, records: store.collection('records', { key: binary(), value: binary() }) }
}

/** Keys in ascending order, so that ten million of them take a minute; they are read at random. */
async function fill(folder: string, count: number): Promise<number> {
  const random = new Random(6)
  const value = random.bytes(VALUE_BYTES)
  const events = Array.from({ length: PER_COMMIT }, () => random.bytes(EVENT_BYTES))
  const startedMs = performance.now()
  const { store, records } = await openStore(folder)
  for (let at = 0; at < count; at += PER_COMMIT) {
    const end = Math.min(count, at + PER_COMMIT)
    await store.transact(
      (tx) => {
        for (let n = at; n < end; n++) tx.put(records, keyOf(n), value)
        tx.appendAll(end - at === PER_COMMIT ? events : events.slice(0, end - at))
      },
      { durability: 'applied' },
    )
  }
  await store.flush()
  if (store.nextEventId !== count + 1) throw new Error(`the next event is ${store.nextEventId}`)
  await store.close()
  return (performance.now() - startedMs) / 1000
}

/** Fetches what the kernel has put out of its memory since it was written: a read of the device takes fifty times as long, and is not what grows here. */
function readThrough(store: Store): void {
  let count = 0
  for (const page of store.events().pages()) count += page.length
  if (count !== store.nextEventId - 1) throw new Error(`${count} events were read`)
}

/** The time of one read: a median of means, after as many reads again for warming up. */
function nanosOf(read: () => number | undefined): number {
  const nanos: number[] = []
  for (let sample = -SAMPLES; sample < SAMPLES; sample++) {
    const startedMs = performance.now()
    let bytes = 0
    for (let i = 0; i < READS_PER_SAMPLE; i++) bytes += read() ?? 0
    if (sample >= 0) nanos.push(((performance.now() - startedMs) * 1e6) / READS_PER_SAMPLE)
    if (bytes === 0) throw new Error('nothing was read')
  }
  return median(nanos)
}

/** Counted by the kernel, for the whole process, without the counting itself. */
function readCost(read: () => unknown): Record<string, number> {
  const before = readSoFar()
  const empty = readSoFar()
  for (let i = 0; i < READS_PER_SAMPLE; i++) read()
  const after = readSoFar()
  const each = (what: 'calls' | 'bytes'): number => (after[what] - empty[what] - (empty[what] - before[what])) / READS_PER_SAMPLE
  return { 'read calls for each event(id)': each('calls'), 'bytes read for each event(id)': each('bytes') }
}

function readSoFar(): { calls: number; bytes: number } {
  const io = readFileSync('/proc/self/io', 'utf8')
  return { calls: Number(/^syscr: (\d+)$/m.exec(io)?.[1]), bytes: Number(/^rchar: (\d+)$/m.exec(io)?.[1]) }
}

async function durableCommit(store: Store, records: Records): Promise<number> {
  const random = new Random(9)
  const value = random.bytes(VALUE_BYTES)
  const event = random.bytes(EVENT_BYTES)
  const micros: number[] = []
  for (let i = 0; i < DURABLE_COMMITS; i++) {
    const startedMs = performance.now()
    await store.transact((tx) => {
      tx.put(records, random.bytes(16), value)
      tx.append(event)
    })
    micros.push((performance.now() - startedMs) * 1000)
  }
  return median(micros)
}

/** Journal files of full size that were recycled, then lone commits at the head of such a file; and one more between any two openings. */
async function openingsBehindHistory(folder: string): Promise<number> {
  const { store, records } = await openStore(folder)
  const large = new Random(10).bytes(MEBIBYTE)
  for (let i = 0; i < HISTORY_COMMITS; i++) await store.transact((tx) => tx.put(records, keyOf(0), large))
  await store.flush()
  await durableCommit(store, records)
  await store.close()
  const openMs: number[] = []
  for (let i = 0; i < OPENINGS; i++) {
    const startedMs = performance.now()
    const opened = await openStore(folder)
    openMs.push(performance.now() - startedMs)
    await opened.store.transact((tx) => tx.put(opened.records, keyOf(0), large.subarray(0, VALUE_BYTES)))
    await opened.store.close()
  }
  return median(openMs)
}

function journalBytes(folder: string): number {
  const journal = join(folder, 'journal')
  return readdirSync(journal).reduce((bytes, name) => bytes + statSync(join(journal, name)).size, 0)
}

async function recovery(folder: string): Promise<number> {
  const recoveryMs: number[] = []
  for (let i = 0; i < KILLS; i++) {
    await killed(folder)
    const startedMs = performance.now()
    const { store } = await openStore(folder)
    recoveryMs.push(performance.now() - startedMs)
    const { frames } = store.stats().recovery
    if (frames < UNFLUSHED_COMMITS) throw new Error(`${frames} commits were recovered of ${UNFLUSHED_COMMITS}`)
    await store.close()
  }
  return median(recoveryMs)
}

function killed(folder: string): Promise<void> {
  const program = new URL(`../killed${extname(fileURLToPath(import.meta.url))}`, import.meta.url)
  return new Promise((resolve, reject) => {
    const child = fork(program, [folder, String(UNFLUSHED_COMMITS)])
    child.once('error', reject)
    child.once('exit', (code, signal) => (signal === 'SIGKILL' ? resolve() : reject(new Error(`it ended with ${signal ?? code} instead of being killed`))))
  })
}

/** The last column divided by the first one. */
function growth(figures: Readonly<Record<string, Record<string, number>>>): Record<string, number> {
  const [first = NaN, ...others] = Object.values(figures['event(id), ns'] ?? {})
  return others.length === 0 ? {} : { [GROWTH]: others.at(-1)! / first }
}

function keyOf(n: number): Buffer {
  const key = Buffer.alloc(16)
  key.writeUIntBE(n, 2, 6)
  return key
}

/** A flush to memory costs nothing and would say nothing. */
function isInMemory(folder: string): boolean {
  return process.platform === 'linux' && statfsSync(folder).type === TMPFS
}
