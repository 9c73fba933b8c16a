// Whether random keys exist; all of them do.
import { Random, keysFor, type Peer } from '../peer.ts'
import type { Meter } from '../meter.ts'
import type { Measured, Size, Workload } from '../workload.ts'

const READS_PER_STEP = 1000

export const workload: Workload = {
  title: 'has, random',
  unit: 'reads',
  dataset: 'records',
  heats: [{ node: 'this', rounds: 3, contestants: [{ peer: 'ledgerstone' }, { peer: 'lmdb' }] }],
  async measure(peer: Peer, size: Size, meter: Meter): Promise<Measured> {
    const keys = keysFor(size.records)
    const random = new Random(4)
    let found = 0
    let reads = 0
    const step = (): void => {
      for (let i = 0; i < READS_PER_STEP; i++) if (peer.has?.(keys[random.below(keys.length)]!) === true) found++
      reads += READS_PER_STEP
    }
    const measured = await meter.timed(size.ms, step, READS_PER_STEP)
    if (found !== reads) throw new Error(`${found} found of ${reads}`)
    return measured
  },
}
