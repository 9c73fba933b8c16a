// What the locks promise to one thread: which sets are granted, in which order, for how long, and what becomes of those that stop waiting. Threads are in
// `workers.spec.ts`; every interleaving of the kernel is tried in Rust.
import { getEventListeners } from 'node:events'
import test from 'ava'
import { type LedgerstoneError, type LockTimeoutError, open } from '../../src/index.ts'
import { type LockGuard, LockManager } from '../../src/lock-manager/index.ts'
import { Random, runSeed } from '../support/random.ts'
import { codeOf, openStore } from '../support/store.ts'
import { callsOf, callsUntil } from '../counted/calls.ts'
import { distinctNames } from './names.ts'
import { turn } from '../support/turns.ts'

/** Asks for sets one after the other and tells in which order they were granted. */
function queue(locks: LockManager, key: string): { ask: (name: string, mode: 'read' | 'write') => void; granted: string[]; guards: Map<string, LockGuard> } {
  const granted: string[] = []
  const guards = new Map<string, LockGuard>()
  const hold = async (name: string, mode: 'read' | 'write'): Promise<void> => {
    guards.set(name, await locks.acquire({ [mode]: [key] }))
    granted.push(name)
  }
  const ask = (name: string, mode: 'read' | 'write'): void => {
    void hold(name, mode)
  }
  return { ask, granted, guards }
}

test('a lock for writing is held alone, one for reading is shared', async (t) => {
  const locks = new LockManager()
  const read = await locks.acquire({ read: ['a'] })
  const shared = locks.tryAcquire({ read: ['a'] })
  t.truthy(shared)
  t.is(locks.tryAcquire({ write: ['a'] }), undefined)
  shared?.release()
  t.is(locks.tryAcquire({ write: ['a'] }), undefined)
  read.release()
  const write = await locks.acquire({ write: ['a'] })
  t.is(locks.tryAcquire({ read: ['a'] }), undefined)
  t.is(locks.tryAcquire({ write: ['a'] }), undefined)
  write.release()
  const { held, waiting, acquired, contended } = locks.stats()
  t.deepEqual({ held, waiting, acquired, contended }, { held: 0, waiting: 0, acquired: 3, contended: 4 })
})

test('all of a set is had, or nothing: a key twice is one, for writing if either is', async (t) => {
  const locks = new LockManager()
  const [a, b, c] = distinctNames(locks, 3) as [string, string, string]
  const set = await locks.acquire({ read: [a, b, a], write: [b, c, c] })
  t.truthy(locks.tryAcquire({ read: [a] }))
  t.is(locks.tryAcquire({ read: [b] }), undefined)
  t.is(locks.tryAcquire({ read: [c] }), undefined)
  set.release()
  const free = await locks.acquire({ write: [c] })
  t.is(locks.tryAcquire({ write: [b, c] }), undefined)
  t.truthy(locks.tryAcquire({ write: [b] }), 'a refused set holds nothing')
  free.release()
  const nothing = await locks.acquire({})
  t.is(typeof nothing.heldMs, 'number')
  nothing.release()
})

test('first come first served: a run of readers together, nobody overtakes', async (t) => {
  const locks = new LockManager()
  const { ask, granted, guards } = queue(locks, 'hot')
  for (const [name, mode] of [
    ['w1', 'write'],
    ['r1', 'read'],
    ['r2', 'read'],
    ['w2', 'write'],
    ['r3', 'read'],
  ] as const)
    ask(name, mode)
  await turn()
  t.deepEqual(granted, ['w1'])
  t.is(locks.tryAcquire({ read: ['hot'] }), undefined)
  guards.get('w1')?.release()
  await turn()
  t.deepEqual(granted, ['w1', 'r1', 'r2'], 'a reader that came after a writer waits for it')
  t.is(locks.tryAcquire({ read: ['hot'] }), undefined, 'and so does one that does not want to wait')
  guards.get('r2')?.release()
  await turn()
  t.is(granted.length, 3)
  guards.get('r1')?.release()
  await turn()
  t.deepEqual(granted.slice(3), ['w2'])
  guards.get('w2')?.release()
  await turn()
  t.deepEqual(granted.slice(4), ['r3'])
  guards.get('r3')?.release()
})

test('a time limit is one for the whole set', async (t) => {
  const locks = new LockManager()
  const names = distinctNames(locks, 4)
  const holders = await Promise.all(names.map((name) => locks.acquire({ write: [name] })))
  const waits = locks.acquire({ write: names }, { timeoutMs: 60 })
  // Each stripe is given up after a while: a limit for each of them would never be reached.
  for (const holder of holders.slice(0, 3)) setTimeout(() => holder.release(), 20)
  const error = (await t.throwsAsync(waits)) as LockTimeoutError
  t.is(error.code, 'ERR_LOCK_TIMEOUT')
  t.true(error.waitedMs >= 59 && error.heldMs >= error.waitedMs)
  holders[3]?.release()
  const all = await locks.acquire({ write: names }, { timeoutMs: 0 })
  all.release()
  t.like(locks.stats(), { held: 0, waiting: 0, timeouts: 1 })
})

test('timeoutMs 0 is now or ERR_LOCK_TIMEOUT; the manager has a limit for those who say none', async (t) => {
  const locks = new LockManager({ timeoutMs: 10 })
  const guard = await locks.acquire({ write: ['a'] }, { timeoutMs: 0 })
  t.is(await codeOf(() => locks.acquire({ read: ['a'] }, { timeoutMs: 0 })), 'ERR_LOCK_TIMEOUT')
  t.is(await codeOf(() => locks.acquire({ read: ['a'] })), 'ERR_LOCK_TIMEOUT')
  guard.release()
  t.is(locks.stats().timeouts, 2)
})

test('an aborted signal ends the waiting with its reason, and a grant that comes at the same time is given back', async (t) => {
  const locks = new LockManager()
  const reason = new Error('not any more')
  const aborted = AbortSignal.abort(reason)
  t.is(await t.throwsAsync(locks.acquire({ write: ['a'] }, { signal: aborted })), reason)
  t.is(locks.stats().acquired, 0)

  const holder = await locks.acquire({ write: ['a'] })
  const waiting = new AbortController()
  const waits = locks.acquire({ write: ['a'] }, { signal: waiting.signal })
  waiting.abort(reason)
  t.is(await t.throwsAsync(waits), reason)

  const racing = new AbortController()
  const races = locks.acquire({ write: ['a'] }, { signal: racing.signal })
  holder.release()
  t.is(locks.stats().held, 1, 'granted, and not yet told')
  racing.abort(reason)
  t.is(await t.throwsAsync(races), reason)
  t.like(locks.stats(), { held: 0, waiting: 0 })
  t.deepEqual(
    [waiting, racing].map(({ signal }) => getEventListeners(signal, 'abort').length),
    [0, 0],
  )
  const again = locks.tryAcquire({ write: ['a'] })
  t.truthy(again)
})

test('an abort passes the lock on to those behind', async (t) => {
  const locks = new LockManager()
  const reader = await locks.acquire({ read: ['a'] })
  const controller = new AbortController()
  const writer = locks.acquire({ write: ['a'] }, { signal: controller.signal })
  const behind = locks.acquire({ read: ['a'] })
  controller.abort(new Error('not any more'))
  await t.throwsAsync(writer, { message: 'not any more' })
  const shared = await behind
  shared.release()
  reader.release()
})

test('a grant that came before the end of the time stands, however late this thread looks', async (t) => {
  const locks = new LockManager()
  const holder = await locks.acquire({ write: ['a'] })
  const waits = locks.acquire({ write: ['a'] }, { timeoutMs: 5 })
  holder.release()
  const until = performance.now() + 20
  while (performance.now() < until); // the timer is due before the microtask that looks
  const guard = await waits
  t.is(locks.stats().timeouts, 0)
  guard.release()
  t.like(locks.stats(), { held: 0, waiting: 0 })
})

test('a second release does nothing, also when others have got the lock since', async (t) => {
  const locks = new LockManager()
  const first = await locks.acquire({ write: ['a'] })
  t.true(first.heldMs >= 0)
  first.release()
  t.is(await codeOf(() => first.heldMs), 'ERR_CLOSED')
  const second = await locks.acquire({ write: ['a'] })
  first.release()
  first[Symbol.dispose]()
  t.is(locks.tryAcquire({ read: ['a'] }), undefined)
  second.release()
  t.is(locks.stats().held, 0)
})

test('with() releases whatever happens', async (t) => {
  const locks = new LockManager()
  t.is(
    await locks.with({ write: ['a'] }, async (guard) => {
      await turn()
      t.is(locks.tryAcquire({ read: ['a'] }), undefined)
      return guard.heldMs >= 0 ? 'done' : 'never'
    }),
    'done',
  )
  await t.throwsAsync(
    locks.with({ write: ['a'] }, () => {
      throw new Error('mine')
    }),
    { message: 'mine' },
  )
  await t.throwsAsync(
    locks.with({ write: ['a'] }, () => Promise.reject(new Error('mine too'))),
    { message: 'mine too' },
  )
  t.is(locks.stats().held, 0)
  t.is(await codeOf(() => locks.with({}, 5 as never)), 'ERR_INVALID_ARGUMENT')
})

test('two sets held one inside the other dead-lock until the first time limit, and no longer', async (t) => {
  const locks = new LockManager()
  const [a, b] = distinctNames(locks, 2) as [string, string]
  const nested = (outer: string, inner: string, timeoutMs: number): Promise<string> =>
    locks.with({ write: [outer] }, async () => {
      await turn()
      return locks.with({ write: [inner] }, () => 'both', { timeoutMs })
    })
  const [first, second] = await Promise.allSettled([nested(a, b, 20), nested(b, a, 60_000)])
  t.is(((first as PromiseRejectedResult).reason as LedgerstoneError).code, 'ERR_LOCK_TIMEOUT')
  t.deepEqual(second, { status: 'fulfilled', value: 'both' })
})

test('a string is the lock of its UTF-8 bytes; long names and many are locks like others', async (t) => {
  const locks = new LockManager({ stripes: 2 ** 20 })
  for (const name of ['a', 'ü€𝄞', 'x'.repeat(5_000), '€'.repeat(100_000)]) {
    const guard = await locks.acquire({ write: [name] })
    t.is(locks.tryAcquire({ read: [Buffer.from(name)] }), undefined)
    t.is(locks.tryAcquire({ read: [new Uint8Array(Buffer.from(name))] }), undefined)
    guard.release()
  }
  const many = Array.from({ length: 20_000 }, (_, n) => `key ${n}`)
  const all = await locks.acquire({ read: many.slice(0, 10_000), write: many.slice(10_000) })
  t.is(locks.tryAcquire({ write: [many[19_999] as string] }), undefined)
  t.is(locks.tryAcquire({ write: [many[0] as string] }), undefined)
  all.release()
  t.is(await codeOf(() => locks.acquire({ write: ['x'.repeat(2 ** 20 + 1)] })), 'ERR_LIMIT')
  t.is(await codeOf(() => locks.acquire({ write: [Buffer.alloc(2 ** 25)] })), 'ERR_LIMIT')
  t.like(locks.stats(), { held: 0, stripes: 2 ** 20 })
})

test('arguments are checked before anything is locked', async (t) => {
  for (const options of [{ stripes: 3 }, { stripes: 0 }, { stripes: 2 ** 21 }, { stripes: 1.5 }, { timeoutMs: -1 }, { timeoutMs: NaN }, { colour: 1 }]) {
    t.is(await codeOf(() => new LockManager(options)), 'ERR_INVALID_ARGUMENT', JSON.stringify(options))
  }
  const locks = new LockManager({ stripes: undefined, timeoutMs: undefined })
  t.is(await codeOf(() => locks.acquire({ write: ['a', 5 as never] })), 'ERR_INVALID_ARGUMENT')
  t.is(await codeOf(() => locks.tryAcquire({ write: ['a', ''] })), 'ERR_INVALID_ARGUMENT')
  t.notThrows(() => locks.acquire(undefined as never).catch(() => {}), 'what returns a promise never throws')
  t.like(locks.stats(), { held: 0, acquired: 0, stripes: 16_384 })
})

test('the locks of a store are the same for all its handles, and end with the handle', async (t) => {
  const store = await openStore(t)
  const other = await open(store.path)
  const things = store.collection('things')
  const guard = await store.locks.acquire({ write: [things.key('a'), 'own name'] })
  t.is(other.locks.tryAcquire({ read: [other.collection('things').key('a')] }), undefined)
  t.is(other.locks.tryAcquire({ read: ['own name'] }), undefined)
  t.is(store.locks, store.locks)
  const waits = other.locks.acquire({ write: [things.key('a')] })
  t.like(store.stats().locks, { held: 1, waiting: 1, stripes: 16_384 })
  const closing = t.throwsAsync(waits, { code: 'ERR_CLOSED' } as never)
  const othersLocks = other.locks
  await other.close()
  await closing
  t.is(await codeOf(() => othersLocks.acquire({ read: ['b'] })), 'ERR_CLOSED')
  t.is(await codeOf(() => othersLocks.stats()), 'ERR_CLOSED')
  t.is(await codeOf(() => other.locks), 'ERR_CLOSED')
  t.like(store.stats().locks, { held: 1, waiting: 0 })

  const third = await open(store.path)
  const forgotten = await third.locks.acquire({ write: ['third'] })
  const next = store.locks.acquire({ write: ['third'] })
  await third.close()
  const got = await next
  t.is(await codeOf(() => forgotten.heldMs), 'ERR_CLOSED')
  forgotten.release()
  t.is(store.locks.tryAcquire({ read: ['third'] }), undefined)
  got.release()
  guard.release()
  t.like(store.stats().locks, { held: 0, waiting: 0 })
})

test('keys of collections are locks of their own, by store, collection and key', async (t) => {
  const [store, other] = [await openStore(t, { stripes: 2 ** 20 }), await openStore(t)]
  const locks = new LockManager({ stripes: 2 ** 20 })
  const guard = await locks.acquire({ write: [store.state.key('a')] })
  t.is(locks.tryAcquire({ read: [store.state.key('a')] }), undefined)
  // One in a million shares the stripe by chance, ten of ten do not.
  const others = Array.from({ length: 10 }, (_, n) => n)
  const free = others.filter(
    (n) => locks.tryAcquire({ write: [other.state.key('a'), store.state.key(`a${n}`), store.collection(`c${n}`).key('a'), `a${n}`] }) !== undefined,
  )
  t.true(free.length === 1, 'of sets with one key in common one is had')
  guard.release()
  t.is(await codeOf(() => store.locks.acquire({ read: [other.state.key('a')] })), 'ERR_INVALID_ARGUMENT')
  t.is(await codeOf(() => store.state.key(5 as never)), 'ERR_INVALID_ARGUMENT')
  t.is(await codeOf(() => open(store.path, { stripes: 4 })), 'ERR_OPTIONS_MISMATCH')
  await (await open(store.path)).close()
})

test.serial('what can be had at once is one native call, and giving it back one', async (t) => {
  const store = await openStore(t)
  const { locks } = store
  const keys = { read: [store.state.key('a')], write: ['b', store.state.key('c')] }
  t.deepEqual(await callsUntil(async () => (await locks.acquire(keys)).release()), { lock: 1, unlock: 1 })
  t.deepEqual(
    callsOf(() => locks.tryAcquire(keys)?.release()),
    { lock: 1, unlock: 1 },
  )
  const holder = await locks.acquire(keys)
  const calls = await callsUntil(async () => {
    const waits = Array.from({ length: 50 }, () => locks.acquire({ read: ['b'] }))
    holder.release()
    for (const guard of await Promise.all(waits)) guard.release()
  })
  t.deepEqual(calls, { lock: 50, unlock: 51, grants: 1 }, 'a hand-over on one thread wakes nobody from outside')
})

test.serial('time-out and abort storms leave nothing held, nobody waiting and no listener', async (t) => {
  const random = new Random(runSeed())
  const warnings: Error[] = []
  process.on('warning', (warning) => warnings.push(warning))
  const locks = new LockManager({ stripes: 64 })
  const one = new AbortController()
  const outcomes = new Map<string, number>()
  const tasks = Array.from({ length: 4_500 }, async (_, n) => {
    const own = new AbortController()
    if (random.oneIn(3)) setTimeout(() => own.abort(), random.below(40))
    const keys = Array.from({ length: 1 + random.below(3) }, () => `k${random.below(200)}`)
    const set = random.oneIn(2) ? { read: keys } : { write: keys }
    const signal = n < 4_200 ? one.signal : own.signal
    try {
      const guard = await locks.acquire(set, { timeoutMs: random.below(60), signal })
      if (random.oneIn(2)) await turn()
      guard.release()
      guard.release()
      count('granted')
    } catch (error) {
      count(String((error as { code?: unknown }).code))
    }
  })
  function count(outcome: string): void {
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  }
  setTimeout(() => one.abort(), 45)
  await Promise.all(tasks)
  t.log(Object.fromEntries(outcomes))
  t.is(
    [...outcomes.values()].reduce((sum, n) => sum + n, 0),
    4_500,
  )
  t.deepEqual(
    [...outcomes.keys()].filter((outcome) => outcome !== 'granted' && outcome !== 'ERR_LOCK_TIMEOUT' && outcome !== '20'),
    [],
    'AbortError has the code 20',
  )
  const { held, waiting } = locks.stats()
  t.deepEqual({ held, waiting }, { held: 0, waiting: 0 })
  t.is(getEventListeners(one.signal, 'abort').length, 0)
  await turn()
  t.deepEqual(warnings, [])
})

test('random sets never dead-lock, and each is alone with what it writes', async (t) => {
  const seed = runSeed()
  t.log(`seed ${seed}`)
  const random = new Random(seed)
  const locks = new LockManager({ timeoutMs: 60_000 })
  const inside = new Map<string, number>()
  await Promise.all(
    Array.from({ length: 100 }, async () => {
      for (let round = 0; round < 20; round++) {
        const keys = [...new Set(Array.from({ length: 1 + random.below(5) }, () => `k${random.below(30)}`))]
        const split = random.below(keys.length + 1)
        const [read, write] = [keys.slice(0, split), keys.slice(split)]
        const guard = await locks.acquire({ read, write })
        const enter = (step: number): void => {
          for (const key of read) inside.set(key, (inside.get(key) ?? 0) + step)
          for (const key of write) inside.set(key, (inside.get(key) ?? 0) - step)
        }
        for (const key of write) if ((inside.get(key) ?? 0) !== 0) t.fail(`not alone with ${key}`)
        for (const key of read) if ((inside.get(key) ?? 0) < 0) t.fail(`a writer is inside ${key}`)
        enter(1)
        if (random.oneIn(3)) await turn()
        enter(-1)
        guard.release()
      }
    }),
  )
  t.like(locks.stats(), { held: 0, waiting: 0, acquired: 2_000, timeouts: 0 })
})

test('two sets of 16 names meet on a stripe as often as the guide says', (t) => {
  const meeting = (stripes: number): number => {
    const locks = new LockManager({ stripes })
    const set = (name: string): { write: string[] } => ({ write: Array.from({ length: 16 }, (_, n) => `${name} ${n}`) })
    let met = 0
    for (let n = 0; n < 1_000; n++) {
      const first = locks.tryAcquire(set(`one ${n}`))
      const second = locks.tryAcquire(set(`other ${n}`))
      if (second === undefined) met++
      second?.release()
      first?.release()
    }
    return met
  }
  // 633 and 16 are expected; each bound is more than seven standard deviations away.
  t.true(Math.abs(meeting(256) - 633) < 120)
  t.true(meeting(16_384) < 50)
})

test.serial('a guard that was forgotten is released in the background, with one warning', async (t) => {
  const warnings: string[] = []
  process.on('warning', (warning) => warnings.push(warning.message))
  const locks = new LockManager()
  await forget(locks)
  const waits = locks.acquire({ write: ['a', 'b'] }, { timeoutMs: 60_000 })
  const collecting = setInterval(() => globalThis.gc?.(), 20)
  const guard = await waits
  clearInterval(collecting)
  await turn()
  t.is(warnings.filter((message) => message.startsWith('a lock was garbage-collected without release()')).length, 1, warnings.join())
  guard.release()
})

async function forget(locks: LockManager): Promise<void> {
  for (const name of ['a', 'b']) await locks.acquire({ write: [name] })
}
