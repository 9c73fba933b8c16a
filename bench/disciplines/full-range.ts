// All entries in key order, from the first to the last.
import type { Peer } from '../peer.ts'
import type { Meter } from '../meter.ts'
import type { Measured, Size } from '../workload.ts'

export async function fullRange(peer: Peer, size: Size, meter: Meter): Promise<Measured> {
  const pass = async (): Promise<void> => {
    const entries = await peer.range?.()
    if (entries !== size.records) throw new Error(`${entries} entries of ${size.records}`)
  }
  return meter.timed(size.ms, pass, size.records)
}
