// What a preflight costs: a transaction in three phases beside one of a single phase that reads and writes the same, nothing contending, and then while every commit
// of others makes it compare what it has read.
import { join } from 'node:path'
import { type CanonicalStore, open } from 'ledgerstone'
import type { Probe } from '../child.ts'

const ROUNDS = 20_000
const WARM_UP = 2_000
const TURNS = 5
const SPAN = 100
const APPLIED = { durability: 'applied' } as const

export const probe: Probe = {
  title: 'transactions in three phases',
  async run(folder) {
    const store = await open(join(folder, 'store'))
    const { state } = store
    store.apply((tx) => {
      for (let n = 0; n < SPAN; n++) tx.put(state, `span ${n}`, n)
      tx.put(state, 'key', 0)
    })
    const keys = { write: [state.key('key')] }
    const span = { read: [state.keys({ prefix: 'span ' })], write: keys.write }
    const kinds: Record<string, () => Promise<unknown>> = {
      'one phase': () => store.transact((tx) => tx.put(state, 'key', Number(tx.get(state, 'key')) + 1), APPLIED),
      'three phases': () =>
        store.transact(
          {
            keys,
            preflight: (ctx) => Number(ctx.get(state, 'key')),
            apply: (tx, value) => tx.put(state, 'key', value + 1),
          },
          APPLIED,
        ),
      'three phases, asynchronous': () =>
        store.transact(
          {
            keys,
            preflight: async (ctx) => Number(ctx.get(state, 'key')),
            apply: (tx, value) => tx.put(state, 'key', value + 1),
          },
          APPLIED,
        ),
      'three phases and another commit meanwhile': () =>
        store.transact(
          {
            keys,
            preflight: (ctx) => disturbed(store, Number(ctx.get(state, 'key'))),
            apply: (tx, value) => tx.put(state, 'key', value + 1),
          },
          APPLIED,
        ),
      [`three phases and a span of ${SPAN}`]: () =>
        store.transact(
          {
            keys: span,
            preflight: (ctx) => ctx.range(state, { prefix: 'span ' }).count(),
            apply: (tx, value) => tx.put(state, 'key', value),
          },
          APPLIED,
        ),
    }
    const times = new Map(Object.keys(kinds).map((kind) => [kind, [] as number[]]))
    // They take turns, so that what the machine does meanwhile falls on all of them.
    for (let turn = 0; turn <= TURNS; turn++) {
      for (const [kind, transact] of Object.entries(kinds)) {
        const us = await microseconds(transact, turn === 0 ? WARM_UP : ROUNDS)
        if (turn > 0) times.get(kind)?.push(us)
      }
    }
    await store.close()
    const median = (kind: string): number => (times.get(kind) ?? []).toSorted((a, b) => a - b)[TURNS >> 1] ?? 0
    const onePhase = median('one phase')
    return {
      ...Object.fromEntries(Object.keys(kinds).map((kind) => [`${kind}, us`, median(kind)])),
      'three phases, times one phase': median('three phases') / onePhase,
      'three phases, asynchronous, times one phase': median('three phases, asynchronous') / onePhase,
    }
  },
}

function disturbed(store: CanonicalStore, value: number): number {
  store.apply((tx) => tx.put(store.state, 'other', value))
  return value
}

async function microseconds(transact: () => Promise<unknown>, rounds: number): Promise<number> {
  const startedMs = performance.now()
  for (let n = 0; n < rounds; n++) await transact()
  return ((performance.now() - startedMs) * 1000) / rounds
}
