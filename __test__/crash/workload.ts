// What the kill test writes, made so that the state can be derived from the events alone: every event lists the puts and deletes of its commit, and every
// commit's events say how many they are. Folding the events gives the state, key by key, unless something was torn apart.
import { type CanonicalStore, type Collection, type Durability, utf8 } from 'ledgerstone'
import type { Random } from '../support/random.ts'

/** One put (with what its value is made from) or, without a value, one delete. */
export type Change = readonly [collection: string, key: string, value?: readonly [seed: number, length: number]]

/** An event of the kill test: part `part` of the `parts` of its writer's commit. `tick` is the last one that its writer knew applied. */
export interface Told {
  readonly writer: string
  readonly commit: number
  readonly part: number
  readonly parts: number
  readonly tick: number
  readonly changes: readonly Change[]
  /** A collection that this commit makes (with {@link BRIEF_KEYS}), that is about to be dropped, that is gone. */
  readonly made?: string
  readonly dropping?: string
  readonly dropped?: string
  /** Moved from one account to another: all balances together stay 0. */
  readonly transfer?: Transfer
  readonly padding?: string
}

export type Transfer = readonly [from: string, to: string, amount: number]

export type Store = CanonicalStore<Told>

/** Collections that events describe. `late-…` are made on the way, by the first put into them. */
export const COLLECTIONS = ['state', 'accounts', 'orders', 'late-1', 'late-2', 'late-3']
/** Single puts without an event: a writer's own counter. */
export const TICKS = 'ticks'
/** Balances by account, which every transfer reads and writes. */
const BALANCES = 'balances'
const ACCOUNTS = 40
/** What a collection holds that is made only to be dropped. */
export const BRIEF_KEYS: readonly string[] = Array.from({ length: 30 }, (_, i) => `k${i}`)
export const LEVELS: readonly Durability[] = ['applied', 'written', 'written', 'durable']

/** A described collection: text under text keys, except for `state`, which is the store's own. */
export function collectionOf(store: Store, name: string): Collection<string, string> {
  return name === 'state' ? (store.state as unknown as Collection<string, string>) : store.collection(name, { value: utf8() })
}

export function balancesOf(store: Store): Collection<string, number> {
  return store.collection<string, number>(BALANCES)
}

export function transferOf(random: Random): Transfer {
  const from = random.below(ACCOUNTS)
  const to = (from + 1 + random.below(ACCOUNTS - 1)) % ACCOUNTS
  return [`a${from}`, `a${to}`, 1 + random.below(1000)]
}

/** Text that its seed and length determine. */
export function valueOf([seed, length]: readonly [number, number]): string {
  const unit = `${seed}:`
  return length === 0 ? '' : unit.repeat(Math.ceil(length / unit.length)).slice(0, length)
}

/** What a commit changes: mostly a few keys of a small key space, so that deletes and overwrites meet something. */
export function changesOf(random: Random): Change[] {
  const changes: Change[] = []
  const count = random.oneIn(40) ? 200 : random.below(6)
  for (let i = 0; i < count; i++) {
    const collection = random.pick(COLLECTIONS)
    const key = `k${random.below(random.oneIn(4) ? 4000 : 60)}${random.oneIn(9) ? 'ÿ' : ''}`
    changes.push(random.oneIn(4) ? [collection, key] : [collection, key, [random.bits(), lengthOf(random)]])
  }
  return changes
}

/** The parts of a commit's story: its changes in one event or spread over several. */
export function partsOf(random: Random, changes: readonly Change[]): Change[][] {
  const parts = random.oneIn(3) ? 1 + random.below(5) : 1
  const size = Math.max(1, Math.ceil(changes.length / parts))
  return Array.from({ length: parts }, (_, i) => changes.slice(i * size, i === parts - 1 ? undefined : (i + 1) * size))
}

function lengthOf(random: Random): number {
  if (random.oneIn(60)) return random.below(100_000)
  return random.oneIn(3) ? 0 : random.below(400)
}
