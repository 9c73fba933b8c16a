// 16 durable transactions started in one turn and awaited together.
import { durableAtOnce } from '../disciplines/durable-at-once.ts'
import type { Workload } from '../workload.ts'

export const workload: Workload = durableAtOnce(16, [
  { against: 'lmdb', must: 5, aim: 7, better: 'more' },
  { against: 'classic-level', must: 5, aim: 7, better: 'more' },
])
