// Transactions that are awaited until they are applied, 500 started in each turn, for so long that memory has to go to the disk
// while they run. The end belongs to it: everything is flushed, where it is read from later, within the measured time.
import { EVENT_BYTES, Random, VALUE_BYTES, keysFor, type Peer } from '../peer.ts'
import type { Meter } from '../meter.ts'
import type { Measured, Size, Workload } from '../workload.ts'

const PER_TURN = 500

export const workload: Workload = {
  title: 'transactions awaited when applied, sustained, drained at the end',
  unit: 'transactions',
  heats: [
    {
      node: 'this',
      title: '500,000 records',
      rounds: 3,
      records: 500_000,
      contestants: [
        { peer: 'ledgerstone', variant: 'applied' },
        { peer: 'lmdb', variant: 'committed' },
      ],
      targets: [{ against: 'lmdb (committed)', must: 3, aim: 4, better: 'more' }],
    },
  ],
  async measure(peer: Peer, size: Size, meter: Meter): Promise<Measured> {
    const keys = keysFor(size.records)
    const random = new Random(2)
    const value = random.bytes(VALUE_BYTES)
    const event = random.bytes(EVENT_BYTES)
    return meter.once(size.records, 1, async () => {
      for (let at = 0; at < size.records; at += PER_TURN) {
        await Promise.all(keys.slice(at, at + PER_TURN).map((key) => peer.commit?.(key, value, event)))
      }
      await peer.drain?.('flushed')
    })
  },
}
