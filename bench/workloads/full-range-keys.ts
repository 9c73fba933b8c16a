// All keys in order, as Buffers, without their values.
import { fullRange } from '../disciplines/full-range.ts'
import type { Workload } from '../workload.ts'

export const workload: Workload = {
  title: 'full range, keys only',
  unit: 'entries',
  dataset: 'records',
  heats: [
    {
      node: 'this',
      contestants: [
        { peer: 'ledgerstone', variant: 'keys' },
        { peer: 'lmdb', variant: 'keys' },
      ],
      targets: [{ against: 'lmdb (keys)', must: 1.8, aim: 2.6, better: 'more' }],
    },
  ],
  measure: fullRange,
}
