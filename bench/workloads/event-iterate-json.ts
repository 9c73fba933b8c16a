// All events in order as objects, against parsing the same strings where they lie in memory: what the store adds to `JSON.parse`.
import type { Peer } from '../peer.ts'
import { timed, type Measured, type Size, type Workload } from '../workload.ts'

export const workload: Workload = {
  title: 'event iteration, JSON',
  unit: 'events',
  dataset: 'JSON events',
  heats: [
    {
      node: 'this',
      contestants: [{ peer: 'ledgerstone-json' }, { peer: 'ledgerstone-json', variant: 'pages' }, { peer: 'json-parse' }],
    },
  ],
  async measure(peer: Peer, size: Size): Promise<Measured> {
    const pass = async (): Promise<void> => {
      const events = await peer.iterateEvents?.()
      if (events !== size.records) throw new Error(`${events} events of ${size.records}`)
    }
    return timed(size.ms, pass, size.records)
  },
}
