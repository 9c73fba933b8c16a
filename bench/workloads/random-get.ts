// Point reads of random keys that exist, as Buffers.
import { Random, VALUE_BYTES, keysFor, type Peer } from '../peer.ts'
import { timed, type Measured, type Size, type Workload } from '../workload.ts'

const READS_PER_STEP = 1000

export const workload: Workload = {
  title: 'get, random, as Buffers',
  unit: 'reads',
  dataset: 'records',
  heats: [
    {
      node: 'this',
      contestants: [{ peer: 'ledgerstone' }, { peer: 'lmdb' }, { peer: 'lmdb', variant: 'fast' }, { peer: 'classic-level' }],
    },
    { node: 'modern', contestants: [{ peer: 'ledgerstone' }, { peer: 'better-sqlite3' }] },
  ],
  async measure(peer: Peer, size: Size): Promise<Measured> {
    const keys = keysFor(size.records)
    const random = new Random(4)
    let bytes = 0
    let reads = 0
    const result = await timed(
      size.ms,
      () => {
        for (let i = 0; i < READS_PER_STEP; i++) bytes += peer.get?.(keys[random.below(keys.length)]!) ?? 0
        reads += READS_PER_STEP
      },
      READS_PER_STEP,
    )
    if (bytes !== reads * VALUE_BYTES) throw new Error(`${reads} reads gave ${bytes} bytes`)
    return result
  },
}
