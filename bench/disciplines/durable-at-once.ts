// Many durable transactions started in one turn and awaited together, again and again: a put of 16 + 100 bytes and an event of 200 bytes each.
// How long the single ones take is measured after the rate, which a clock around each of them would change.
import { EVENT_BYTES, Random, VALUE_BYTES, keysFor, type Peer } from '../peer.ts'
import type { Meter } from '../meter.ts'
import type { Measured, Size, Target, Workload } from '../workload.ts'

const KEYS = 100_000
/** Enough for a percentile whatever the time says. */
const LEAST_LATENCIES = 2000

export function durableAtOnce(atOnce: number, targets: readonly Target[]): Workload {
  return {
    title: `${atOnce.toLocaleString('en-US')} durable transactions at once`,
    unit: 'transactions',
    group: { name: `${atOnce.toLocaleString('en-US')} transactions`, leastFlushes: 1 },
    heats: [{ node: 'this', contestants: [{ peer: 'ledgerstone' }, { peer: 'lmdb' }, { peer: 'classic-level' }], targets }],
    async measure(peer: Peer, size: Size, meter: Meter): Promise<Measured> {
      const keys = keysFor(KEYS)
      const random = new Random(2)
      const value = random.bytes(VALUE_BYTES)
      const event = random.bytes(EVENT_BYTES)
      let i = 0
      const commit = (): unknown => peer.commit?.(keys[i++ % KEYS]!, value, event)
      const measured = await meter.timed(size.ms, () => Promise.all(Array.from({ length: atOnce }, commit)), atOnce)
      return { ...measured, figures: { p99Ms: await slowest(commit, atOnce, size.ms / 2) } }
    },
  }
}

/** The 99th percentile, in milliseconds, from the call until its promise is fulfilled. */
async function slowest(commit: () => unknown, atOnce: number, ms: number): Promise<number> {
  const latencies: number[] = []
  const one = async (): Promise<void> => {
    const started = performance.now()
    await commit()
    latencies.push(performance.now() - started)
  }
  const end = performance.now() + ms
  while (performance.now() < end || latencies.length < LEAST_LATENCIES) await Promise.all(Array.from({ length: atOnce }, one))
  return latencies.toSorted((a, b) => a - b)[Math.floor(latencies.length * 0.99)] ?? 0
}
