// All entries in key order, key and value as Buffers.
import type { Peer } from '../peer.ts'
import { timed, type Measured, type Size, type Workload } from '../workload.ts'

export const workload: Workload = {
  title: 'full range, key and value as Buffers',
  unit: 'entries',
  dataset: 'records',
  heats: [
    { node: 'this', contestants: [{ peer: 'ledgerstone' }, { peer: 'lmdb' }, { peer: 'classic-level' }] },
    { node: 'modern', contestants: [{ peer: 'ledgerstone' }, { peer: 'better-sqlite3' }] },
  ],
  async measure(peer: Peer, size: Size): Promise<Measured> {
    return timed(
      size.ms,
      async () => {
        const entries = await peer.range?.()
        if (entries !== size.records) throw new Error(`${entries} entries of ${size.records}`)
      },
      size.records,
    )
  },
}
