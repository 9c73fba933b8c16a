// All entries in key order, key and value as Buffers.
import { fullRange } from '../disciplines/full-range.ts'
import type { Workload } from '../workload.ts'

export const workload: Workload = {
  title: 'full range, key and value as Buffers',
  unit: 'entries',
  dataset: 'records',
  heats: [
    {
      node: 'this',
      contestants: [{ peer: 'ledgerstone' }, { peer: 'lmdb' }, { peer: 'classic-level' }],
      targets: [{ against: 'lmdb', must: 5, aim: 7.5, better: 'more' }],
    },
    { node: 'modern', rounds: 3, contestants: [{ peer: 'ledgerstone' }, { peer: 'better-sqlite3' }] },
  ],
  measure: fullRange,
}
