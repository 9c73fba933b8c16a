// Events of 200 bytes, 256 to a durable commit, one commit after another.
import { EVENT_BYTES, Random, type Peer } from '../peer.ts'
import type { Meter } from '../meter.ts'
import type { Measured, Size, Workload } from '../workload.ts'

const PER_COMMIT = 256

export const workload: Workload = {
  title: `events, ${PER_COMMIT} to a durable commit`,
  unit: 'events',
  group: { name: 'commit', leastFlushes: 1 },
  heats: [
    {
      node: 'this',
      contestants: [{ peer: 'ledgerstone' }, { peer: 'floor' }, { peer: 'lmdb' }, { peer: 'classic-level' }],
      targets: [{ against: 'floor', must: 0.5, aim: 0.8, better: 'more' }],
    },
    { node: 'modern', contestants: [{ peer: 'ledgerstone' }, { peer: 'better-sqlite3' }] },
  ],
  async measure(peer: Peer, size: Size, meter: Meter): Promise<Measured> {
    const random = new Random(5)
    const events = Array.from({ length: PER_COMMIT }, () => random.bytes(EVENT_BYTES))
    return meter.timed(size.ms, () => peer.appendEvents?.(events), PER_COMMIT)
  },
}
