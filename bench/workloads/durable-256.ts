// 256 durable transactions started in one turn and awaited together.
import { durableAtOnce } from '../disciplines/durable-at-once.ts'
import type { Workload } from '../workload.ts'

export const workload: Workload = durableAtOnce(256, [
  { against: 'lmdb', must: 5, aim: 8, better: 'more' },
  { against: 'classic-level', must: 12, aim: 20, better: 'more' },
  { against: 'lmdb', figure: 'p99Ms', must: 1, aim: 0.5, better: 'less' },
])
