// All entries in key order, key and value as strings: 32 and 100 ASCII characters.
import { fullRange } from '../disciplines/full-range.ts'
import type { Workload } from '../workload.ts'

export const workload: Workload = {
  title: 'full range, key and value as strings',
  unit: 'entries',
  dataset: 'string pairs',
  heats: [
    {
      node: 'this',
      contestants: [{ peer: 'ledgerstone-typed' }, { peer: 'lmdb-typed' }],
      targets: [{ against: 'lmdb-typed', must: 2, aim: 3, better: 'more' }],
    },
  ],
  measure: fullRange,
}
