// Commits of one event each that are not waited for, against one write to the operating system for each event. Both sides are there at the end.
import { EVENT_BYTES, Random, type Peer } from '../peer.ts'
import type { Meter } from '../meter.ts'
import type { Measured, Size, Workload } from '../workload.ts'

const PER_TURN = 500

export const workload: Workload = {
  title: 'one event to a commit, applied, not awaited',
  unit: 'commits',
  heats: [
    {
      node: 'this',
      contestants: [
        { peer: 'ledgerstone', variant: 'apply' },
        { peer: 'ledgerstone', variant: 'applied' },
        { peer: 'floor', variant: 'unflushed' },
      ],
      targets: [{ against: 'floor (unflushed)', must: 0.4, aim: 1, better: 'more' }],
    },
  ],
  async measure(peer: Peer, size: Size, meter: Meter): Promise<Measured> {
    const event = [new Random(5).bytes(EVENT_BYTES)]
    const turn = async (): Promise<void> => {
      let last: unknown
      for (let i = 0; i < PER_TURN; i++) last = peer.appendEvents?.(event)
      await last
    }
    return meter.timed(size.ms, turn, PER_TURN, () => peer.drain?.('written'))
  },
}
