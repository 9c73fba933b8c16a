// 4096 durable transactions started in one turn and awaited together.
import { durableAtOnce } from '../disciplines/durable-at-once.ts'
import type { Workload } from '../workload.ts'

export const workload: Workload = durableAtOnce(4096, [
  { against: 'lmdb', must: 4, aim: 6, better: 'more' },
  { against: 'classic-level', must: 12, aim: 25, better: 'more' },
])
