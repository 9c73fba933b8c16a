// Events of 200 bytes, 256 to a durable commit, one commit after another.
import { EVENT_BYTES, Random, type Peer } from '../peer.ts'
import { timed, type Measured, type Size, type Workload } from '../workload.ts'

const PER_COMMIT = 256

export const workload: Workload = {
  title: `events, ${PER_COMMIT} to a durable commit`,
  unit: 'events',
  heats: [
    { node: 'this', contestants: [{ peer: 'ledgerstone' }, { peer: 'lmdb' }, { peer: 'classic-level' }, { peer: 'floor' }] },
    { node: 'modern', contestants: [{ peer: 'ledgerstone' }, { peer: 'better-sqlite3' }] },
  ],
  async measure(peer: Peer, size: Size): Promise<Measured> {
    const random = new Random(5)
    const events = Array.from({ length: PER_COMMIT }, () => random.bytes(EVENT_BYTES))
    return timed(size.ms, () => peer.appendEvents?.(events), PER_COMMIT)
  },
}
