// What a recovered store must be: the fold of the store's events, with every commit whole, and with everything that was acknowledged. Kept for one folder over all
// its rounds, because what one round had the next must still have.
import { createHash } from 'node:crypto'
import type { Durability, EventRecord } from 'ledgerstone'
import { Fold } from './fold.ts'
import { BRIEF_KEYS, type Store, TICKS, type Told } from './workload.ts'

/** A commit as it was acknowledged to its writer. */
interface Acknowledged {
  readonly seq: number
  readonly first: number
  readonly last: number
  readonly name: string
}

/** Acknowledged commits are not there. */
export class Loss extends Error {
  readonly lost: number

  constructor(lost: number, message: string) {
    super(message)
    this.lost = lost
  }
}

/** The promises made about one folder, and the check that they were kept. */
export class Ledger {
  /** How many acknowledgements there were. */
  readonly acknowledged: Record<Durability, number> = { applied: 0, written: 0, durable: 0 }
  /** How many checks readers have made beside the writers. */
  readings = 0
  /** How many workers were terminated. */
  terminated = 0
  readonly #promised: Acknowledged[] = []
  readonly #ticks = new Map<string, number>()
  readonly #dropped = new Set<string>()
  #wrong: string | undefined
  #maxSeq = 0
  #known = 0
  #digest = ''

  /** Takes a line that a writer reported. What was only applied is counted, not held against anybody. */
  take(line: string): void {
    const [kind, ...words] = line.split(' ') as [string, ...string[]]
    if (kind === 'reading') this.readings++
    else if (kind === 'terminated') this.terminated++
    else if (kind === 'wrong') this.#wrong ??= words.join(' ')
    if (kind !== 'commit' && kind !== 'tick' && kind !== 'drop') return
    const [level, seq, ...rest] = words as [Durability, string, ...string[]]
    this.acknowledged[level]++
    if (level === 'applied') return
    this.#maxSeq = Math.max(this.#maxSeq, Number(seq))
    if (kind === 'commit') this.#promised.push({ seq: Number(seq), first: Number(rest[0]), last: Number(rest[1]), name: `${rest[2]} ${rest[3]}` })
    else if (kind === 'tick') this.#ticks.set(rest[0] as string, Math.max(Number(rest[1]), this.#ticks.get(rest[0] as string) ?? 0))
    else this.#dropped.add(rest[0] as string)
  }

  /** Throws with what is wrong; otherwise what is in the store now must be there ever after. */
  check(store: Store): void {
    if (this.#wrong !== undefined) throw new Error(`a reader beside the writers: ${this.#wrong}`)
    const events = [...store.events()]
    const fold = new Fold()
    for (const event of events) fold.take(event)
    if (store.nextEventId !== events.length + 1) throw new Error(`${events.length} events, but the next id is ${store.nextEventId}`)
    this.#checkPromises(fold)
    if (digestOf(events.slice(0, this.#known)) !== this.#digest && this.#known > 0) throw new Error('events of an earlier round have changed or gone')
    fold.check(store, store)
    this.#checkCommits(store, fold)
    this.#known = events.length
    this.#digest = digestOf(events)
  }

  #checkPromises(fold: Fold): void {
    const lost = this.#promised.filter(({ first, last, name }) => {
      for (let id = first; id <= last; id++) if (fold.commitAt.get(id) !== name) return true
      return false
    })
    const [example] = lost
    if (example !== undefined) {
      const { seq, first, last, name } = example
      throw new Loss(lost.length, `${lost.length} commits acknowledged and lost: for example ${name}, seq ${seq}, events ${first} to ${last}`)
    }
    const inOrder = this.#promised.toSorted((a, b) => a.seq - b.seq)
    for (const [i, { seq, first }] of inOrder.entries()) {
      const before = inOrder[i - 1]
      if (before !== undefined && (before.seq === seq || before.last >= first)) throw new Error(`seq ${seq} and ${before.seq} do not have their events in order`)
    }
  }

  /** Every commit has a separate seq and there are no others: those with events, the ticks, the drops. */
  #checkCommits(store: Store, fold: Fold): void {
    const ticks = new Map(store.collection<string, number>(TICKS).range().toArray())
    for (const [writer, tick] of [...this.#ticks, ...fold.tick]) {
      if ((ticks.get(writer) ?? 0) < tick) throw new Loss(1, `tick ${tick} of ${writer} is lost: ${ticks.get(writer)}`)
    }
    const there = new Set(store.collections())
    let drops = 0
    for (const name of fold.made) {
      if (there.has(name)) {
        if (fold.dropped.has(name) || this.#dropped.has(name)) throw new Loss(1, `${name} was dropped and is there`)
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
    if (applied < this.#maxSeq) throw new Loss(1, `seq ${this.#maxSeq} was acknowledged, the newest is ${applied}`)
  }
}

function digestOf(events: readonly EventRecord<Told>[]): string {
  const hash = createHash('sha256')
  for (const event of events) hash.update(JSON.stringify(event))
  return hash.digest('hex')
}
