// One durable transaction after another: a put of 16 + 100 bytes and an event of 200 bytes, awaited before the next begins.
import { EVENT_BYTES, Random, VALUE_BYTES, keysFor, type Peer } from '../peer.ts'
import { timed, type Measured, type Size, type Workload } from '../workload.ts'

export const workload: Workload = {
  title: 'one durable transaction after another',
  unit: 'transactions',
  heats: [
    {
      node: 'this',
      contestants: [
        { peer: 'ledgerstone' },
        { peer: 'ledgerstone', variant: 'never' },
        { peer: 'lmdb' },
        { peer: 'classic-level' },
        { peer: 'floor' },
      ],
    },
    { node: 'modern', contestants: [{ peer: 'ledgerstone' }, { peer: 'better-sqlite3' }] },
  ],
  async measure(peer: Peer, size: Size): Promise<Measured> {
    if (peer.commit === undefined) throw new Error('this peer does not commit')
    const keys = keysFor(100_000)
    const random = new Random(2)
    const value = random.bytes(VALUE_BYTES)
    const event = random.bytes(EVENT_BYTES)
    let i = 0
    let before = peer.counted?.()['flushes'] ?? 0
    let commits = 0
    const result = await timed(size.ms, () => {
      commits++
      return peer.commit?.(keys[i++ % keys.length]!, value, event)
    })
    before = (peer.counted?.()['flushes'] ?? 0) - before
    return { ...result, counted: peer.counted === undefined ? {} : { 'flushes per commit': before / commits } }
  },
}
