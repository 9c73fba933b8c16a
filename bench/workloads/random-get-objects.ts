// Point reads of random keys, values as objects in about 100 bytes of JSON.
import { sampleAccount } from '../peer.ts'
import { randomGet } from '../disciplines/random-get.ts'
import type { Workload } from '../workload.ts'

export const workload: Workload = {
  title: 'get, random, as objects in JSON',
  unit: 'reads',
  dataset: 'objects',
  heats: [
    {
      node: 'this',
      contestants: [{ peer: 'ledgerstone-typed' }, { peer: 'lmdb-typed' }],
      targets: [{ against: 'lmdb-typed', must: 1.15, aim: 1.3, better: 'more' }],
    },
  ],
  measure: (peer, size, meter) => randomGet(peer, size, meter, sampleAccount(0).owner.length),
}
