// How long a caller is kept by one commit of two operations (a put and an event) that it does not wait for. Between turns it waits for room, so that
// the calls are those outside of stalls; what was a stall all the same is counted.
import { subscribe } from 'node:diagnostics_channel'
import { binary, open } from 'ledgerstone'
import type { Probe } from '../child.ts'
import { EVENT_BYTES, Random, VALUE_BYTES, keysFor } from '../peer.ts'

const TURNS = 600
const TURNS_WHEN_QUICK = 20
const WARM_UP = 10
const QUICK_RECORDS = 100_000
const PER_TURN = 500
const KEYS = 100_000

export const probe: Probe = {
  title: 'one call of a commit with two operations, µs',
  async run(folder, size) {
    let stalls = 0
    subscribe('ledgerstone:stall', () => stalls++)
    const store = await open(folder, { events: binary() })
    const records = store.collection('records', { key: binary(), value: binary() })
    const keys = keysFor(KEYS)
    const random = new Random(6)
    const value = random.bytes(VALUE_BYTES)
    const event = random.bytes(EVENT_BYTES)
    let n = 0
    const kinds: Record<string, () => unknown> = {
      'transact, applied': () => {
        const key = keys[n++ % KEYS]!
        return store.transact(
          (tx) => {
            tx.put(records, key, value)
            tx.append(event)
          },
          { durability: 'applied' },
        )
      },
      apply: () => {
        const key = keys[n++ % KEYS]!
        return store.apply((tx) => {
          tx.put(records, key, value)
          tx.append(event)
        })
      },
    }
    const figures: Record<string, Record<string, number>> = {}
    for (const [kind, commit] of Object.entries(kinds)) {
      stalls = 0
      const micros: number[] = []
      for (let turn = -WARM_UP; turn < (size.records < QUICK_RECORDS ? TURNS_WHEN_QUICK : TURNS); turn++) {
        for (let i = 0; i < PER_TURN; i++) {
          const startedMs = performance.now()
          void commit()
          const tookMs = performance.now() - startedMs
          if (turn >= 0) micros.push(tookMs * 1000)
        }
        await store.transact(() => undefined, { durability: 'written' })
      }
      micros.sort((a, b) => a - b)
      const at = (part: number): number => micros[Math.floor(micros.length * part)] ?? 0
      figures[kind] = { p50: at(0.5), p99: at(0.99), 'p99.9': at(0.999), most: micros.at(-1) ?? 0, stalls }
      await store.flush()
    }
    await store.close()
    return figures
  },
}
