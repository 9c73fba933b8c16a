// Two locks that nobody else wants: taken together and given up again, one pair after another.
import type { Peer } from '../peer.ts'
import type { Meter } from '../meter.ts'
import type { Measured, Size, Workload } from '../workload.ts'

const NAMES = 1000
const PAIRS_PER_STEP = 1000

export const workload: Workload = {
  title: 'two uncontended locks, acquire and release',
  unit: 'pairs',
  heats: [
    {
      node: 'this',
      contestants: [{ peer: 'ledgerstone-locks' }, { peer: 'async-mutex' }],
      targets: [{ against: 'async-mutex', must: 2, aim: 4, better: 'more' }],
    },
  ],
  async measure(peer: Peer, size: Size, meter: Meter): Promise<Measured> {
    const names = Array.from({ length: NAMES }, (_, n) => `account ${n}`)
    let n = 0
    const step = async (): Promise<void> => {
      for (let i = 0; i < PAIRS_PER_STEP; i++, n++) {
        const release = await peer.lockPair?.(names[n % NAMES]!, names[(n * 7 + 1) % NAMES]!)
        release?.()
      }
    }
    return meter.timed(size.ms, step, PAIRS_PER_STEP)
  },
}
