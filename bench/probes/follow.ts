// How long it takes from the call of `append` until a follower of the same store has the event, when nothing else goes on.
import { setImmediate } from 'node:timers/promises'
import { join } from 'node:path'
import { binary, open, type CanonicalStore, type Durability } from 'ledgerstone'
import type { Figures, Probe } from '../child.ts'
import { EVENT_BYTES, Random } from '../peer.ts'

const WARM_UP = 200
const EVENTS = 3000
const EVENTS_WHEN_QUICK = 300
const QUICK_RECORDS = 100_000
const LEVELS: readonly Durability[] = ['applied', 'written', 'durable']

export const probe: Probe = {
  title: 'a follower: from the append until the event is seen, µs',
  async run(folder, size) {
    const figures: Record<string, Figures[string]> = {}
    for (const level of LEVELS) {
      const store = await open(join(folder, level), { events: binary() })
      const micros = await latencies(store, level, size.records < QUICK_RECORDS ? EVENTS_WHEN_QUICK : EVENTS)
      await store.close()
      figures[level] = { p50: micros[Math.floor(micros.length * 0.5)] ?? 0, p99: micros[Math.floor(micros.length * 0.99)] ?? 0, most: micros.at(-1) ?? 0 }
    }
    return figures
  },
}

async function latencies(store: CanonicalStore<Buffer, Uint8Array>, durability: Durability, count: number): Promise<number[]> {
  const event = new Random(5).bytes(EVENT_BYTES)
  const events = store.follow({ durability })[Symbol.asyncIterator]()
  const micros: number[] = []
  for (let i = -WARM_UP; i < count; i++) {
    const next = events.next()
    await setImmediate() // it waits by now
    const startedMs = performance.now()
    const appended = store.append(event, { durability })
    const { value } = await next
    const tookMs = performance.now() - startedMs
    if (value?.id !== i + WARM_UP + 1) throw new Error(`event ${value?.id} instead of ${i + WARM_UP + 1}`)
    if (i >= 0) micros.push(tookMs * 1000)
    await appended
  }
  await events.return?.()
  return micros.toSorted((a, b) => a - b)
}
