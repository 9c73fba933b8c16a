// Events of 200 bytes, 1,000 to a commit that is not waited for. What was begun is also ended: everything is flushed within the measured time.
import { EVENT_BYTES, Random, type Peer } from '../peer.ts'
import type { Meter } from '../meter.ts'
import type { Measured, Size, Workload } from '../workload.ts'

const PER_COMMIT = 1000
/** Commits of one turn; only then the loop waits for room. */
const PER_TURN = 16

export const workload: Workload = {
  title: `events, ${PER_COMMIT.toLocaleString('en-US')} to a commit, not awaited, drained at the end`,
  unit: 'events',
  heats: [
    {
      node: 'this',
      rounds: 3,
      contestants: [
        { peer: 'ledgerstone', variant: 'applied' },
        { peer: 'floor', variant: 'unflushed' },
      ],
    },
    {
      node: 'modern',
      rounds: 3,
      contestants: [{ peer: 'ledgerstone', variant: 'applied' }, { peer: 'better-sqlite3' }, { peer: 'better-sqlite3', variant: 'normal' }],
    },
  ],
  async measure(peer: Peer, size: Size, meter: Meter): Promise<Measured> {
    const random = new Random(5)
    const events = Array.from({ length: PER_COMMIT }, () => random.bytes(EVENT_BYTES))
    const turn = (): unknown => {
      let last: unknown
      for (let i = 0; i < PER_TURN; i++) last = peer.appendEvents?.(events)
      return last
    }
    return meter.timed(size.ms, turn, PER_TURN * PER_COMMIT, () => peer.drain?.('flushed'))
  },
}
