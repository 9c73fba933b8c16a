// The locks of this package, by name.
import { LockManager } from 'ledgerstone/locks'
import type { Peer } from '../peer.ts'

export async function openPeer(): Promise<Peer> {
  const locks = new LockManager()
  return {
    durability: 'in memory',
    async lockPair(first: string, second: string) {
      const guard = await locks.acquire({ write: [first, second] })
      return () => guard.release()
    },
    close: () => undefined,
  }
}
