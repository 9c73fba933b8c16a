// What the machine gives at best, and how steadily: the bytes of one transaction written to a prepared file and flushed, one after another. Part of
// every run: a figure that hangs on the device is worth as much as the floor is steady.
import { EVENT_BYTES, Random, VALUE_BYTES, keysFor, type Peer } from '../peer.ts'
import type { Meter } from '../meter.ts'
import type { Measured, Size, Workload } from '../workload.ts'

export const workload: Workload = {
  title: 'the floor: the same bytes, one write and one flush after another',
  unit: 'transactions',
  group: { name: 'transaction', leastFlushes: 1 },
  heats: [{ node: 'this', contestants: [{ peer: 'floor' }] }],
  async measure(peer: Peer, size: Size, meter: Meter): Promise<Measured> {
    const [key = Buffer.alloc(16)] = keysFor(1)
    const random = new Random(2)
    const value = random.bytes(VALUE_BYTES)
    const event = random.bytes(EVENT_BYTES)
    return meter.timed(size.ms / 2, () => peer.commit?.(key, value, event))
  },
}
