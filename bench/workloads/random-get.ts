// Point reads of random keys, values as Buffers.
import { VALUE_BYTES } from '../peer.ts'
import { randomGet } from '../disciplines/random-get.ts'
import type { Workload } from '../workload.ts'

export const workload: Workload = {
  title: 'get, random, as Buffers',
  unit: 'reads',
  dataset: 'records',
  heats: [
    {
      node: 'this',
      contestants: [{ peer: 'ledgerstone' }, { peer: 'lmdb' }, { peer: 'lmdb', variant: 'fast' }, { peer: 'classic-level' }],
      targets: [
        { against: 'lmdb', must: 1.8, aim: 2.2, better: 'more' },
        { against: 'lmdb (fast)', must: 1.15, aim: 1.3, better: 'more' },
      ],
    },
    {
      node: 'this',
      title: '20,000 records',
      records: 20_000,
      contestants: [{ peer: 'ledgerstone' }, { peer: 'lmdb' }, { peer: 'lmdb', variant: 'fast' }],
      targets: [
        { against: 'lmdb', must: 2.8, aim: 3.5, better: 'more' },
        { against: 'lmdb (fast)', must: 1.4, aim: 1.6, better: 'more' },
      ],
    },
    { node: 'modern', rounds: 3, contestants: [{ peer: 'ledgerstone' }, { peer: 'better-sqlite3' }] },
  ],
  measure: (peer, size, meter) => randomGet(peer, size, meter, VALUE_BYTES),
}
