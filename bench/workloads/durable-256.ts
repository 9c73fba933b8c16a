// 256 durable transactions started in one turn and awaited together, again and again.
import { EVENT_BYTES, Random, VALUE_BYTES, keysFor, type Peer } from '../peer.ts'
import { timed, type Measured, type Size, type Workload } from '../workload.ts'

const AT_ONCE = 256

export const workload: Workload = {
  title: `${AT_ONCE} durable transactions at once`,
  unit: 'transactions',
  heats: [{ node: 'this', contestants: [{ peer: 'ledgerstone' }, { peer: 'lmdb' }, { peer: 'classic-level' }] }],
  async measure(peer: Peer, size: Size): Promise<Measured> {
    const keys = keysFor(100_000)
    const random = new Random(2)
    const value = random.bytes(VALUE_BYTES)
    const event = random.bytes(EVENT_BYTES)
    let i = 0
    let rounds = 0
    const before = peer.counted?.()['flushes'] ?? 0
    const result = await timed(
      size.ms,
      () => {
        rounds++
        return Promise.all(Array.from({ length: AT_ONCE }, () => peer.commit?.(keys[i++ % keys.length]!, value, event)))
      },
      AT_ONCE,
    )
    const flushes = (peer.counted?.()['flushes'] ?? 0) - before
    return { ...result, counted: peer.counted === undefined ? {} : { [`flushes per ${AT_ONCE}`]: flushes / rounds } }
  },
}
