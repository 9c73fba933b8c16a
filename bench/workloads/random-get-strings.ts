// Point reads of random keys, values as strings of 100 ASCII characters.
import { VALUE_BYTES } from '../peer.ts'
import { randomGet } from '../disciplines/random-get.ts'
import type { Workload } from '../workload.ts'

export const workload: Workload = {
  title: 'get, random, as strings',
  unit: 'reads',
  dataset: 'strings',
  heats: [
    {
      node: 'this',
      contestants: [{ peer: 'ledgerstone-typed' }, { peer: 'lmdb-typed' }],
      targets: [{ against: 'lmdb-typed', must: 1.3, aim: 1.5, better: 'more' }],
    },
  ],
  measure: (peer, size, meter) => randomGet(peer, size, meter, VALUE_BYTES),
}
