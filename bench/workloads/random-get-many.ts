// Point reads of 100 random keys in one call, values as Buffers.
import { Random, VALUE_BYTES, keysFor, type Peer } from '../peer.ts'
import type { Meter } from '../meter.ts'
import type { Measured, Size, Workload } from '../workload.ts'

const PER_CALL = 100

export const workload: Workload = {
  title: `getMany of ${PER_CALL}, random, as Buffers`,
  unit: 'reads',
  dataset: 'records',
  heats: [
    {
      node: 'this',
      contestants: [{ peer: 'ledgerstone' }, { peer: 'lmdb' }, { peer: 'classic-level' }],
      targets: [{ against: 'lmdb', must: 3, aim: 4.5, better: 'more' }],
    },
  ],
  async measure(peer: Peer, size: Size, meter: Meter): Promise<Measured> {
    const keys = keysFor(size.records)
    const random = new Random(4)
    let bytes = 0
    let reads = 0
    const step = async (): Promise<void> => {
      bytes += (await peer.getMany?.(Array.from({ length: PER_CALL }, () => keys[random.below(keys.length)]!))) ?? 0
      reads += PER_CALL
    }
    const measured = await meter.timed(size.ms, step, PER_CALL)
    if (bytes !== reads * VALUE_BYTES) throw new Error(`${reads} reads gave ${bytes} bytes`)
    return measured
  },
}
