// Single events by their ids, in random order.
import { EVENT_BYTES, Random, type Peer } from '../peer.ts'
import type { Meter } from '../meter.ts'
import type { Measured, Size, Workload } from '../workload.ts'

const READS_PER_STEP = 1000

export const workload: Workload = {
  title: 'event(id), random',
  unit: 'reads',
  dataset: 'events',
  heats: [
    { node: 'this', rounds: 3, contestants: [{ peer: 'ledgerstone' }, { peer: 'lmdb' }] },
    { node: 'modern', rounds: 3, contestants: [{ peer: 'ledgerstone' }, { peer: 'better-sqlite3' }] },
  ],
  async measure(peer: Peer, size: Size, meter: Meter): Promise<Measured> {
    const random = new Random(4)
    let bytes = 0
    let reads = 0
    const step = (): void => {
      for (let i = 0; i < READS_PER_STEP; i++) bytes += peer.event?.(1 + random.below(size.records)) ?? 0
      reads += READS_PER_STEP
    }
    const result = await meter.timed(size.ms, step, READS_PER_STEP)
    if (bytes !== reads * EVENT_BYTES) throw new Error(`${reads} reads gave ${bytes} bytes`)
    return result
  },
}
