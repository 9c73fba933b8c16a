// One durable transaction after another: a put of 16 + 100 bytes and an event of 200 bytes, awaited before the next begins.
import { EVENT_BYTES, Random, VALUE_BYTES, keysFor, type Peer } from '../peer.ts'
import type { Meter } from '../meter.ts'
import type { Measured, Size, Workload } from '../workload.ts'

export const workload: Workload = {
  title: 'one durable transaction after another',
  unit: 'transactions',
  group: { name: 'transaction', leastFlushes: 1 },
  heats: [
    {
      node: 'this',
      contestants: [{ peer: 'ledgerstone' }, { peer: 'floor' }, { peer: 'lmdb' }, { peer: 'classic-level' }],
      targets: [
        { against: 'floor', must: 0.8, aim: 0.95, better: 'more' },
        { against: 'lmdb', must: 4, aim: 5, better: 'more' },
        { against: 'classic-level', must: 2.2, aim: 3, better: 'more' },
      ],
    },
    {
      node: 'this',
      title: "inlineFlush 'never'",
      contestants: [{ peer: 'ledgerstone', variant: 'never' }, { peer: 'floor' }],
      targets: [{ against: 'floor', must: 0.6, aim: 0.75, better: 'more' }],
    },
    {
      node: 'modern',
      contestants: [{ peer: 'ledgerstone' }, { peer: 'better-sqlite3' }],
      targets: [{ against: 'better-sqlite3', must: 1.4, aim: 1.7, better: 'more' }],
    },
  ],
  async measure(peer: Peer, size: Size, meter: Meter): Promise<Measured> {
    const keys = keysFor(100_000)
    const random = new Random(2)
    const value = random.bytes(VALUE_BYTES)
    const event = random.bytes(EVENT_BYTES)
    let i = 0
    return meter.timed(size.ms, () => peer.commit?.(keys[i++ % keys.length]!, value, event))
  },
}
