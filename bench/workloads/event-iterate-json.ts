// All events in order as objects, against parsing the same strings where they lie in memory: what the store adds to `JSON.parse`.
import type { Peer } from '../peer.ts'
import type { Meter } from '../meter.ts'
import type { Measured, Size, Workload } from '../workload.ts'

export const workload: Workload = {
  title: 'event iteration, JSON',
  unit: 'events',
  dataset: 'JSON events',
  heats: [
    {
      node: 'this',
      contestants: [{ peer: 'ledgerstone-json' }, { peer: 'ledgerstone-json', variant: 'pages' }, { peer: 'json-parse' }],
      targets: [{ against: 'json-parse', must: 0.7, aim: 0.85, better: 'more' }],
    },
  ],
  async measure(peer: Peer, size: Size, meter: Meter): Promise<Measured> {
    const pass = async (): Promise<void> => {
      const events = await peer.iterateEvents?.()
      if (events !== size.records) throw new Error(`${events} events of ${size.records}`)
    }
    return meter.timed(size.ms, pass, size.records)
  },
}
