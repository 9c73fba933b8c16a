// Locks as users write them. Nothing here runs: the type check proves what compiles and, by each `@ts-expect-error`, what must not.
import { open, utf8, type KeyRef, type StoreStats } from '../../src/index.ts'
import { LockManager, type LockGuard, type LockKey, type LockOptions, type LockSet, type LockStats } from '../../src/lock-manager/index.ts'

type OrderId = string & { readonly __order: true }
declare const id: OrderId

export async function shop(signal: AbortSignal | undefined): Promise<number> {
  await using store = await open('./shop', { stripes: 4096 })
  const orders = store.collection('orders', { key: utf8<OrderId>() })
  const ref: KeyRef = orders.key(id)
  // @ts-expect-error a key of the collection's type
  orders.key('17')
  const locks: LockManager = new LockManager({ stripes: 1024, timeoutMs: undefined })
  const keys: LockKey[] = ['a', new Uint8Array(2), Buffer.from('b'), ref]
  const set: LockSet = { read: keys, write: ['c'] } as const
  const options: LockOptions = { timeoutMs: 5, signal }
  {
    using guard = await locks.acquire(set, options)
    void guard.heldMs
  }
  const tried: LockGuard | undefined = store.locks.tryAcquire({ write: [ref] })
  tried?.release()
  // @ts-expect-error no such mode
  await locks.acquire({ exclusive: ['a'] })
  // @ts-expect-error a number is no key
  await locks.acquire({ write: [5] })
  // @ts-expect-error an object of the user's is no key reference
  await locks.acquire({ write: [{}] })
  const now: number = await store.locks.with({}, (guard) => guard.heldMs)
  const later: string = await locks.with({}, async () => 'text')
  const stats: LockStats = locks.stats()
  const same: StoreStats['locks'] = stats
  return now + later.length + same.held
}
