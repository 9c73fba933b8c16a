// async-mutex: one mutex for each name, taken in the order of the names, as it must be where others do the same. It takes part where it is installed.
import { PeerMissing, type Peer } from '../peer.ts'

interface Mutex {
  acquire(): Promise<() => void>
}

export async function openPeer(): Promise<Peer> {
  const Mutex = await mutexClass()
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

async function mutexClass(): Promise<new () => Mutex> {
  const name: string = 'async-mutex'
  try {
    return ((await import(name)) as { Mutex: new () => Mutex }).Mutex
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new PeerMissing(`${name} is not installed (npm install --no-save ${name})`, { cause: error })
  }
}
