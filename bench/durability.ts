// What a contestant says that a commit has survived when it is back, and whether the counters bear it out.
import type { Row } from './result.ts'
import type { Group } from './workload.ts'

export type Durability = 'in memory' | 'applied' | 'written' | 'flushed to the device'

/** A process that flushes meanwhile can only add to what the device counts; this much less than one is rounding at the edges of the time. */
const TOLERANCE = 0.95

/** Contradictions between claiming to flush commits and the number of flushes that were counted. */
export function unprovenOf(group: Group, rows: readonly Row[]): string[] {
  return rows
    .filter(({ durability }) => durability === 'flushed to the device')
    .flatMap(({ contestant, flushes }) =>
      Object.entries(flushes)
        .filter(([, count]) => count < group.leastFlushes * TOLERANCE)
        .map(([who, count]) => `${contestant} says that it flushes; the ${who} counted ${count.toFixed(3)} flushes for each ${group.name}`),
    )
}
