// All events in order, as bytes.
import type { Peer } from '../peer.ts'
import type { Meter } from '../meter.ts'
import type { Measured, Size, Workload } from '../workload.ts'

export const workload: Workload = {
  title: 'event iteration, as bytes',
  unit: 'events',
  dataset: 'events',
  heats: [
    { node: 'this', contestants: [{ peer: 'ledgerstone' }, { peer: 'ledgerstone', variant: 'pages' }, { peer: 'lmdb' }] },
    {
      node: 'modern',
      contestants: [{ peer: 'ledgerstone' }, { peer: 'ledgerstone', variant: 'pages' }, { peer: 'better-sqlite3' }],
      targets: [
        { against: 'better-sqlite3', must: 4, aim: 8, better: 'more' },
        { of: 'ledgerstone (pages)', against: 'better-sqlite3', must: 6, aim: 12, better: 'more' },
      ],
    },
  ],
  async measure(peer: Peer, size: Size, meter: Meter): Promise<Measured> {
    return meter.timed(
      size.ms,
      async () => {
        const events = await peer.iterateEvents?.()
        if (events !== size.records) throw new Error(`${events} events of ${size.records}`)
      },
      size.records,
    )
  },
}
