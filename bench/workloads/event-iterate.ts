// All events in order, as bytes.
import type { Peer } from '../peer.ts'
import { timed, type Measured, type Size, type Workload } from '../workload.ts'

export const workload: Workload = {
  title: 'event iteration, as bytes',
  unit: 'events',
  dataset: 'events',
  heats: [
    { node: 'this', contestants: [{ peer: 'ledgerstone' }, { peer: 'ledgerstone', variant: 'pages' }, { peer: 'lmdb' }] },
    { node: 'modern', contestants: [{ peer: 'ledgerstone' }, { peer: 'ledgerstone', variant: 'pages' }, { peer: 'better-sqlite3' }] },
  ],
  async measure(peer: Peer, size: Size): Promise<Measured> {
    return timed(
      size.ms,
      async () => {
        const events = await peer.iterateEvents?.()
        if (events !== size.records) throw new Error(`${events} events of ${size.records}`)
      },
      size.records,
    )
  },
}
