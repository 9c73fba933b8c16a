// async-mutex: one mutex for each name, taken in the order of the names, as it must be where others do the same.
import { Mutex } from 'async-mutex'
import type { Peer } from '../peer.ts'

export async function openPeer(): Promise<Peer> {
  const mutexes = new Map<string, Mutex>()
  const mutexOf = (name: string): Mutex => {
    let mutex = mutexes.get(name)
    if (mutex === undefined) mutexes.set(name, (mutex = new Mutex()))
    return mutex
  }
  return {
    durability: 'in memory',
    async lockPair(first: string, second: string) {
      const [low, high] = first < second ? [first, second] : [second, first]
      const releaseLow = await mutexOf(low).acquire()
      const releaseHigh = await mutexOf(high).acquire()
      return () => {
        releaseHigh()
        releaseLow()
      }
    },
    close: () => undefined,
  }
}
