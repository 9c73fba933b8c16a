// Puts of random keys into a store that begins empty: durable transactions of 1,000 puts, eight of them under way at any time, everything flushed
// to where it is read from later at the end. The work is fixed, since each put is dearer than the one before.
import { Random, VALUE_BYTES, keysFor, type Peer } from '../peer.ts'
import type { Meter } from '../meter.ts'
import type { Measured, Size, Workload } from '../workload.ts'

const PER_COMMIT = 1000
const IN_FLIGHT = 8

export const workload: Workload = {
  title: `random puts, durable batches of ${PER_COMMIT.toLocaleString('en-US')}, ${IN_FLIGHT} in flight, drained`,
  unit: 'puts',
  group: { name: `batch of ${PER_COMMIT.toLocaleString('en-US')}`, leastFlushes: 1 / IN_FLIGHT },
  heats: [
    {
      node: 'this',
      rounds: 3,
      contestants: [{ peer: 'ledgerstone' }, { peer: 'lmdb' }, { peer: 'classic-level' }],
      targets: [
        { against: 'lmdb', must: 5, aim: 8, better: 'more' },
        { against: 'classic-level', must: 5, aim: 8, better: 'more' },
      ],
    },
    {
      node: 'this',
      title: '4,000,000 records',
      rounds: 1,
      records: 4_000_000,
      contestants: [{ peer: 'ledgerstone' }, { peer: 'lmdb' }],
      targets: [{ against: 'lmdb', must: 4, aim: 6, better: 'more' }],
    },
  ],
  async measure(peer: Peer, size: Size, meter: Meter): Promise<Measured> {
    const keys = keysFor(size.records)
    const value = new Random(3).bytes(VALUE_BYTES)
    let at = 0
    const writer = async (): Promise<void> => {
      while (at < keys.length) {
        const batch = keys.slice(at, (at += PER_COMMIT))
        await peer.putMany?.(batch, value)
      }
    }
    return meter.once(size.records / PER_COMMIT, PER_COMMIT, async () => {
      await Promise.all(Array.from({ length: IN_FLIGHT }, writer))
      await peer.drain?.('flushed')
    })
  },
}
