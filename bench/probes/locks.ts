// What a lock costs: had at once, handed over on one hot key, and needlessly waited for because two names share a stripe.
import { LockManager } from 'ledgerstone/locks'
import { open } from 'ledgerstone'
import { join } from 'node:path'
import type { Probe } from '../child.ts'

const ROUNDS = 200_000
const KEYS = 1_000
const TASKS = 64
const TURNS = 2_000
const SETS = 2_000

export const probe: Probe = {
  title: 'locks',
  async run(folder) {
    const store = await open(join(folder, 'store'))
    const names = Array.from({ length: KEYS }, (_, n) => `account ${n}`)
    const own = new LockManager()
    const refs = names.map((name) => store.state.key(name))
    await uncontendedNs(own, names)
    const ofNamesNs = await uncontendedNs(own, names)
    const ofKeysNs = await uncontendedNs(store.locks, refs)
    const handOversPerSecond = await hotKey(own)
    await store.close()
    return {
      'two names, acquire and release, ns': ofNamesNs,
      'two keys of a collection, acquire and release, ns': ofKeysNs,
      'hand-overs of one name among 64 tasks, per second': handOversPerSecond,
      ...Object.fromEntries([256, 1_024, 16_384, 131_072].map((stripes) => [`sets of 16 names that meet on one of ${stripes} stripes, %`, meetingPercent(stripes)])),
    }
  },
}

async function uncontendedNs<K>(locks: { acquire(keys: { write: readonly K[] }): Promise<{ release(): void }> }, keys: readonly K[]): Promise<number> {
  const startedMs = performance.now()
  for (let n = 0; n < ROUNDS; n++) {
    const guard = await locks.acquire({ write: [keys[n % KEYS] as K, keys[(n * 7 + 1) % KEYS] as K] })
    guard.release()
  }
  return ((performance.now() - startedMs) * 1e6) / ROUNDS
}

async function hotKey(locks: LockManager): Promise<number> {
  const startedMs = performance.now()
  await Promise.all(
    Array.from({ length: TASKS }, async () => {
      for (let n = 0; n < TURNS; n++) {
        const guard = await locks.acquire({ write: ['hot'] }, { timeoutMs: 600_000 })
        await Promise.resolve() // others ask meanwhile
        guard.release()
      }
    }),
  )
  return (TASKS * TURNS * 1_000) / (performance.now() - startedMs)
}

function meetingPercent(stripes: number): number {
  const locks = new LockManager({ stripes })
  const set = (name: string): { write: string[] } => ({ write: Array.from({ length: 16 }, (_, n) => `${name} ${n}`) })
  let met = 0
  for (let n = 0; n < SETS; n++) {
    const first = locks.tryAcquire(set(`one ${n}`))
    const second = locks.tryAcquire(set(`other ${n}`))
    if (second === undefined) met++
    second?.release()
    first?.release()
  }
  return (met * 100) / SETS
}
