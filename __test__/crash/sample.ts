// A small store whose whole content is known: commit n is made from n alone, so what a store with n commits must give is computed, not stored.
import { isDeepStrictEqual } from 'node:util'
import { binary, type CanonicalStore, type Collection, utf8 } from 'ledgerstone'

export interface Happened {
  readonly commit: number
  readonly part: number
  readonly padding: string
}
export type Sample = CanonicalStore<Happened>
/** Everything that can be read, in a form that compares. */
export interface Content {
  readonly seq: number
  readonly collections: readonly string[]
  readonly entries: readonly (readonly [collection: string, key: string, value: string])[]
  readonly events: readonly Happened[]
}

export const SAMPLE_OPTIONS = { flush: { intervalMs: 3_600_000 }, segmentBytes: 64 * 1024 } as const
const BYTES = 'bytes'
const TEXT = 'text'

/** Commit `n`, durable when it resolves. Each is waited for alone, so each is a separate group. */
export async function writeCommit(store: Sample, n: number): Promise<void> {
  const { text, bytes } = collectionsOf(store)
  await store.transact(
    (tx) => {
      for (const [collection, key, value] of putsOf(n)) {
        if (collection === 'state') tx.put(store.state, key, value)
        else if (collection === TEXT) tx.put(text, key, value)
        else tx.put(bytes, Buffer.from(key, 'latin1'), Buffer.from(value, 'latin1'))
      }
      for (const key of deletesOf(n)) tx.delete(text, key)
      tx.appendAll(eventsOf(n))
    },
    { durability: 'durable' },
  )
}

/** What a store with the commits 1 to `n` holds. */
export function contentAfter(n: number): Content {
  const state = new Map<string, readonly [string, string, string]>()
  const events: Happened[] = []
  for (let commit = 1; commit <= n; commit++) {
    for (const put of putsOf(commit)) state.set(`${put[0]} ${put[1]}`, put)
    for (const key of deletesOf(commit)) state.delete(`${TEXT} ${key}`)
    events.push(...eventsOf(commit))
  }
  const order = [BYTES, 'state', TEXT]
  const byKey = (a: readonly [string, string, string], b: readonly [string, string, string]): number =>
    order.indexOf(a[0]) - order.indexOf(b[0]) || Buffer.compare(Buffer.from(a[1], 'latin1'), Buffer.from(b[1], 'latin1'))
  return { seq: n, collections: order, entries: [...state.values()].toSorted(byKey), events }
}

/** Reads a store in every way there is; throws what reading throws, and when two ways disagree. */
export function readAll(store: Sample): Content {
  const { text, bytes } = collectionsOf(store)
  const snapshot = store.snapshot()
  for (const collection of [store.state, text, bytes] as Collection<never, unknown>[]) agree('a snapshot', [...snapshot.range(collection)], [...store.range(collection)])
  agree("a snapshot's events", [...snapshot.events()], [...store.events()])
  snapshot.release()
  const entries = [
    ...entriesOf(
      BYTES,
      bytes,
      (key) => Buffer.from(key).toString('latin1'),
      (value) => value.toString('latin1'),
    ),
    ...entriesOf('state', store.state as Collection<string, string>, String, String),
    ...entriesOf(TEXT, text, String, String),
  ]
  const records = [...store.events()]
  const backwards = [...store.events({ reverse: true })].toReversed()
  const singly = records.map(({ id }) => store.event(id))
  agree('events in both directions and one by one', records, backwards, singly)
  records.forEach(({ id, timestamp }, i) => {
    if (id !== i + 1 || timestamp < (records[i - 1]?.timestamp ?? 0)) throw new Error(`event ${id} stands at ${i} with the time ${timestamp}`)
  })
  const { levels, events } = store.stats()
  agree('counts', events.count, records.length, store.nextEventId - 1, store.events().count())
  return { seq: levels.applied, collections: store.collections(), entries, events: records.map(({ event }) => event) }
}

function entriesOf<K, V>(name: string, from: Collection<K, V, never>, key: (key: K) => string, value: (value: V) => string): (readonly [string, string, string])[] {
  const range = from.range().toArray()
  const keys = range.map(([key]) => key)
  agree(`${name}: directions`, range, from.range({ reverse: true }).toArray().toReversed())
  agree(
    `${name}: get and getMany`,
    range.map(([, value]) => value),
    keys.map((key) => from.get(key)),
    from.getMany(keys),
  )
  agree(`${name}: count`, range.length, from.range().count())
  return range.map((entry) => [name, key(entry[0]), value(entry[1])] as const)
}

function agree(what: string, first: unknown, ...others: readonly unknown[]): void {
  for (const other of others) if (!isDeepStrictEqual(first, other)) throw new Error(`${what} disagree`)
}

function collectionsOf(store: Sample): { text: Collection<string, string>; bytes: Collection<Uint8Array, Buffer, Uint8Array> } {
  const text = store.collection(TEXT, { value: utf8() })
  const bytes = store.collection(BYTES, { key: binary(), value: binary() })
  return { text, bytes }
}

function putsOf(n: number): (readonly [collection: string, key: string, value: string])[] {
  const puts: (readonly [string, string, string])[] = [
    ['state', `s${n % 40}`, `value ${n}`],
    [BYTES, String.fromCharCode(n % 256, 0xff, n % 3), n % 5 === 0 ? '' : String.fromCharCode(0, n % 256).repeat(n % 30)],
    [TEXT, `t${n}`, `text ${n} `.repeat(n % 9)],
  ]
  if (n % 60 === 0) puts.push([TEXT, `large ${n}`, `${n},`.repeat(3000)]) // LMDB keeps it on separate pages
  return puts
}

function deletesOf(n: number): string[] {
  return n % 4 === 0 ? [`t${n / 2}`, `t${n - 1}`] : []
}

function eventsOf(n: number): Happened[] {
  return Array.from({ length: n % 3 }, (_, part) => ({ commit: n, part, padding: `${n}`.repeat(n % 10 === 0 ? 2500 : n % 7) }))
}
