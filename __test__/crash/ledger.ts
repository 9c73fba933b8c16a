// What a recovered store must be: the fold of its own events, with every commit whole, and with everything that was acknowledged. Kept for one
// folder over all its rounds, because what one round had the next must still have.
import { createHash } from 'node:crypto'
import type { EventRecord } from 'ledgerstone'
import { BRIEF_KEYS, collectionOf, COLLECTIONS, type Store, TICKS, type Told, valueOf } from './workload.ts'

/** A commit as a writer was told of it. */
interface Acknowledged { readonly seq: number; readonly first: number; readonly last: number; readonly name: string }

interface Fold {
  readonly state: Map<string, Map<string, readonly [number, number]>>
  readonly made: Set<string>
  readonly dropping: Set<string>
  readonly dropped: Set<string>
  readonly tick: Map<string, number>
  readonly commitAt: Map<number, string>
  commits: number
}

/** The promises made about one folder, and the check that they were kept. */
export class Ledger {
  readonly #acknowledged: Acknowledged[] = []
  readonly #ticks = new Map<string, number>()
  readonly #dropped = new Set<string>()
  #maxSeq = 0
  #known = 0
  #digest = ''

  /** How many acknowledgements there were. */
  count = 0

  /** Takes a line that a writer reported. */
  take(line: string): void {
    const [kind, ...words] = line.split(' ') as [string, ...string[]]
    if (kind !== 'commit' && kind !== 'tick' && kind !== 'drop') return
    this.count++
    const seq = Number(words[0])
    this.#maxSeq = Math.max(this.#maxSeq, seq)
    if (kind === 'commit') this.#acknowledged.push({ seq, first: Number(words[1]), last: Number(words[2]), name: `${words[3]} ${words[4]}` })
    else if (kind === 'tick') this.#ticks.set(words[1] as string, Math.max(Number(words[2]), this.#ticks.get(words[1] as string) ?? 0))
    else this.#dropped.add(words[1] as string)
  }

  /** Throws with what is wrong; otherwise what is in the store now must be there ever after. */
  check(store: Store): void {
    const events = [...store.events()]
    this.#checkEvents(events, store)
    const fold = foldOf(events)
    this.#checkPromises(fold)
    checkState(store, fold)
    this.#checkCommits(store, fold)
    this.#known = events.length
    this.#digest = digestOf(events)
  }

  #checkEvents(events: readonly EventRecord<Told>[], store: Store): void {
    let timestamp = 0
    for (const [i, event] of events.entries()) {
      if (event.id !== i + 1) throw new Error(`event ${i + 1} has the id ${event.id}`)
      if (event.timestamp < timestamp) throw new Error(`the time goes back at event ${event.id}`)
      timestamp = event.timestamp
    }
    if (store.nextEventId !== events.length + 1) throw new Error(`${events.length} events, but the next id is ${store.nextEventId}`)
    if (digestOf(events.slice(0, this.#known)) !== this.#digest && this.#known > 0) throw new Error('events of an earlier round have changed or gone')
  }

  #checkPromises(fold: Fold): void {
    for (const { seq, first, last, name } of this.#acknowledged) {
      for (let id = first; id <= last; id++) {
        const found = fold.commitAt.get(id)
        if (found !== name) throw new Error(`acknowledged and lost: commit ${name}, seq ${seq}, event ${id} is ${found ?? 'not there'}`)
      }
    }
    const inOrder = this.#acknowledged.toSorted((a, b) => a.seq - b.seq)
    for (const [i, { seq, first }] of inOrder.entries()) {
      const before = inOrder[i - 1]
      if (before !== undefined && (before.seq === seq || before.last >= first)) throw new Error(`seq ${seq} and ${before.seq} do not have their events in order`)
    }
  }

  /** Every commit has a seq of its own and there are no others: those with events, the ticks, the drops. */
  #checkCommits(store: Store, fold: Fold): void {
    const ticks = new Map(store.collection<string, number>(TICKS).range().toArray())
    for (const [writer, tick] of [...this.#ticks, ...fold.tick]) {
      if ((ticks.get(writer) ?? 0) < tick) throw new Error(`tick ${tick} of ${writer} is lost: ${ticks.get(writer)}`)
    }
    const there = new Set(store.collections())
    let drops = 0
    for (const name of fold.made) {
      if (there.has(name)) {
        if (fold.dropped.has(name) || this.#dropped.has(name)) throw new Error(`${name} was dropped and is there`)
        const values = store.collection<string, number>(name).range().toArray().length
        if (values !== BRIEF_KEYS.length) throw new Error(`${name} has ${values} keys`)
      } else {
        if (!fold.dropping.has(name)) throw new Error(`${name} is gone before it was dropped`)
        drops++
      }
    }
    const expected = fold.commits + [...ticks.values()].reduce((sum, n) => sum + n, 0) + drops
    const { applied } = store.stats().levels
    if (applied !== expected) throw new Error(`${expected} commits have left their traces, the newest seq is ${applied}`)
    if (applied < this.#maxSeq) throw new Error(`seq ${this.#maxSeq} was acknowledged, the newest is ${applied}`)
  }
}

function foldOf(events: readonly EventRecord<Told>[]): Fold {
  const fold: Fold = {
    state: new Map(COLLECTIONS.map((name) => [name, new Map()])),
    made: new Set(),
    dropping: new Set(),
    dropped: new Set(),
    tick: new Map(),
    commitAt: new Map(),
    commits: 0,
  }
  const seen = new Set<string>()
  for (let i = 0; i < events.length; ) {
    const { event: head } = events[i] as EventRecord<Told>
    const name = `${head.writer} ${head.commit}`
    if (head.part !== 0 || seen.has(name)) throw new Error(`event ${i + 1} is out of place: ${name}, part ${head.part}`)
    seen.add(name)
    fold.commits++
    for (let part = 0; part < head.parts; part++, i++) {
      const event = events[i]?.event
      if (event === undefined || event.part !== part || `${event.writer} ${event.commit}` !== name) throw new Error(`commit ${name} is torn: part ${part} of ${head.parts} is missing`)
      fold.commitAt.set(i + 1, name)
      follow(fold, event)
    }
  }
  return fold
}

function follow(fold: Fold, event: Told): void {
  for (const [collection, key, value] of event.changes) {
    const keys = fold.state.get(collection) as Map<string, readonly [number, number]>
    if (value === undefined) keys.delete(key)
    else keys.set(key, value)
  }
  if (event.made !== undefined) fold.made.add(event.made)
  if (event.dropping !== undefined) fold.dropping.add(event.dropping)
  if (event.dropped !== undefined) fold.dropped.add(event.dropped)
  fold.tick.set(event.writer, Math.max(event.tick, fold.tick.get(event.writer) ?? 0))
}

function checkState(store: Store, fold: Fold): void {
  for (const [name, expected] of fold.state) {
    const collection = collectionOf(store, name)
    const found = new Map(collection.range())
    for (const [key, value] of expected) {
      if (found.get(key) !== valueOf(value)) throw new Error(`${name} ${key}: expected ${String(value)}, found ${found.get(key)?.slice(0, 40) ?? 'nothing'}`)
      if (collection.get(key) !== found.get(key)) throw new Error(`${name} ${key}: get and range differ`)
    }
    if (found.size !== expected.size) throw new Error(`${name} has ${found.size} keys, its events say ${expected.size}`)
  }
}

function digestOf(events: readonly EventRecord<Told>[]): string {
  const hash = createHash('sha256')
  for (const event of events) hash.update(JSON.stringify(event))
  return hash.digest('hex')
}
