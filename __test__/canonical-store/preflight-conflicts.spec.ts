// Locks give progress, validation gives safety: a writer that takes no locks must never make a preflight's result wrong, whatever it does to what was read, and
// however its write got to the disk in between.
import test from 'ava'
import { binary, type CanonicalStore, type ConflictError, json, LedgerstoneError, type PreflightContext, retry } from '../../src/index.ts'
import { Random, runSeed } from '../support/random.ts'
import { codeOf, openStore } from '../support/store.ts'

/** Counts the runs of a preflight that reads by `read` and is interfered with in its first `times` runs. */
async function runs(
  store: CanonicalStore,
  read: (ctx: PreflightContext) => unknown,
  interfere: () => unknown,
  times = 1,
): Promise<{ runs: number; applied: number; code: unknown }> {
  const { state } = store
  let count = 0
  let applied = 0
  const code = await codeOf(() =>
    store.transact({
      keys: { read: [state.key('a'), state.keys({ prefix: 's' })] },
      preflight: async (ctx) => {
        read(ctx)
        if (++count <= times) await interfere()
      },
      apply: () => {
        applied++
      },
    }),
  )
  return { runs: count, applied, code }
}

function filled(store: CanonicalStore): CanonicalStore {
  store.apply((tx) => {
    tx.put(store.state, 'a', 1)
    for (const key of ['s1', 's3', 's5', 't1']) tx.put(store.state, key, key)
  })
  return store
}

test('a key that was read and is changed meanwhile makes the preflight run again, by value', async (t) => {
  for (const flushed of [false, true]) {
    const store = filled(await openStore(t))
    const { state } = store
    if (flushed) await store.flush()
    const settle = async (): Promise<void> => {
      if (flushed) await store.flush()
    }
    const get = (ctx: PreflightContext): unknown => ctx.get(state, 'a')
    const expect = async (what: string, read: (ctx: PreflightContext) => unknown, interfere: () => unknown, expected: number): Promise<void> => {
      const found = await runs(store, read, async () => {
        await interfere()
        await settle()
      })
      t.deepEqual(found, { runs: expected, applied: 1, code: undefined }, `${what}${flushed ? ', flushed' : ''}`)
    }
    await expect('an update', get, () => state.put('a', 2), 2)
    await expect('a deletion', get, () => state.delete('a'), 2)
    await expect(
      'an insertion, seen by has()',
      (ctx) => ctx.has(state, 'a'),
      () => state.put('a', 3),
      2,
    )
    await expect(
      'an insertion, seen by getMany()',
      (ctx) => ctx.getMany(state, ['s2']),
      () => state.put('s2', 3),
      2,
    )
    await expect('another key', get, () => state.put('b', 3), 1)
    await expect(
      'nothing was read',
      () => {},
      () => state.put('a', 4),
      1,
    )
    await expect(
      'there and back again',
      get,
      async () => {
        await state.put('a', 5)
        await settle()
        await state.put('a', 4)
      },
      1,
    )
    await expect(
      'gone and back again',
      get,
      async () => {
        await state.delete('a')
        await settle()
        await state.put('a', 4)
      },
      1,
    )
  }
})

test('a span that was read and is changed meanwhile makes the preflight run again: there are no phantoms', async (t) => {
  for (const flushed of [false, true]) {
    const store = filled(await openStore(t))
    const { state } = store
    if (flushed) await store.flush()
    const settle = async (): Promise<void> => {
      if (flushed) await store.flush()
    }
    const reads: Record<string, (ctx: PreflightContext) => unknown> = {
      'all of it': (ctx) => ctx.range(state, { prefix: 's' }).toArray(),
      'its keys': (ctx) => [...ctx.range(state, { gte: 's1', lt: 's9' }).keys()],
      'its count': (ctx) => ctx.range(state, { prefix: 's' }).count(),
      'its last ones': (ctx) => ctx.range(state, { prefix: 's', reverse: true, limit: 3 }).toArray(),
      'only the first of it': (ctx) => {
        for (const _ of ctx.range(state, { prefix: 's' })) break
      },
    }
    for (const [how, read] of Object.entries(reads)) {
      const expect = async (what: string, interfere: () => unknown, expected: number): Promise<void> => {
        const found = await runs(store, read, async () => {
          await interfere()
          await settle()
        })
        t.deepEqual(found, { runs: expected, applied: 1, code: undefined }, `${what}, ${how}${flushed ? ', flushed' : ''}`)
      }
      await expect('an insertion', () => state.put('s4', 's4'), 2)
      await expect('a deletion', () => state.delete('s4'), 2)
      await expect('an update', () => state.put('s5', Math.random()), 2)
      await expect(
        'one goes and one comes',
        () =>
          store.apply((tx) => {
            tx.delete(state, 's3')
            tx.put(state, 's6', 's3')
          }),
        2,
      )
      await expect(
        'outside',
        () =>
          store.apply((tx) => {
            tx.put(state, 't1', Math.random())
            tx.put(state, 'r9', Math.random())
          }),
        1,
      )
      await expect(
        'there and back again',
        async () => {
          await state.put('s4', 1)
          await settle()
          await state.delete('s4')
        },
        1,
      )
      store.apply((tx) => {
        tx.delete(state, 's6')
        tx.put(state, 's3', 's3')
      })
    }
    t.is(store.stats().readers.snapshots, 0)
  }
})

test('values and keys of bytes are compared as they are', async (t) => {
  const store = await openStore(t)
  const bytes = store.collection('bytes', { key: binary(), value: binary() })
  const key = Buffer.from([0xff, 0x00])
  for (const [before, after] of [
    [[0xff], [0xfe]],
    [[0xc3], [0xc3, 0]],
    [[], [0]],
    [[0xef, 0xbf, 0xbd], [0xff]],
  ] as const) {
    await bytes.put(key, Buffer.from(before))
    for (const read of [(ctx: PreflightContext) => ctx.get(bytes, key)?.fill(1), (ctx: PreflightContext) => ctx.range(bytes).toArray()]) {
      await bytes.put(key, Buffer.from(before))
      let count = 0
      await store.transact({
        keys: { read: [bytes.key(key), bytes.keys()] },
        preflight: async (ctx) => {
          read(ctx)
          if (++count === 1) await bytes.put(key, Buffer.from(after))
        },
        apply: () => {},
      })
      t.is(count, 2)
    }
  }
})

test('after three runs that were interfered with it is ERR_CONFLICT, and nothing is written', async (t) => {
  const store = filled(await openStore(t))
  const { state } = store
  let n = 10
  for (const read of [(ctx: PreflightContext) => ctx.get(state, 'a'), (ctx: PreflightContext) => ctx.range(state, { prefix: 's' }).count()]) {
    const change = (): unknown =>
      store.apply((tx) => {
        tx.put(state, 'a', n)
        tx.put(state, 's1', n++)
      })
    t.deepEqual(await runs(store, read, change, 2), { runs: 3, applied: 1, code: undefined })
    t.deepEqual(await runs(store, read, change, 3), { runs: 3, applied: 0, code: 'ERR_CONFLICT' })
  }
  const error = await t.throwsAsync(
    store.transact({
      keys: { read: [state.key('a')] },
      preflight: (ctx) => {
        ctx.get(state, 'a')
        store.apply((tx) => tx.put(state, 'a', n++))
      },
      apply: () => t.fail('it is applied'),
    }),
    { instanceOf: LedgerstoneError },
  )
  t.deepEqual([(error as ConflictError).attempts, error.retryable], [3, true])
  t.deepEqual([store.locks.stats().held, store.stats().readers.snapshots], [0, 0])
})

test('all reads of one run are of one point in time; a run that cannot have one is not asked for more', async (t) => {
  const store = await openStore(t)
  const { state } = store
  await store.transact((tx) => {
    tx.put(state, 'x', 0)
    tx.put(state, 'y', 0)
  })
  const bump = (): unknown =>
    store.apply((tx) => {
      for (const key of ['x', 'y']) tx.put(state, key, (tx.get(state, key) as number) + 1)
    })
  const keys = { read: [state.key('x'), state.key('y'), state.keys({ prefix: 'y' })] }
  const seconds: Record<string, (ctx: PreflightContext) => unknown> = {
    get: (ctx) => ctx.get(state, 'y'),
    range: (ctx) => ctx.range(state, { prefix: 'y' }).toArray()[0]?.[1],
  }
  for (const [how, second] of Object.entries(seconds)) {
    const seen: unknown[][] = []
    let ran = 0
    await store.transact({
      keys,
      preflight: async (ctx) => {
        const x = ctx.get(state, 'x')
        if (++ran === 1) await bump()
        try {
          seen.push([x, second(ctx), ctx.get(state, 'x')])
        } catch {
          // It does not help a preflight to catch the error.
        }
      },
      apply: () => {},
    })
    t.is(ran, 2, how)
    t.true(seen.length === 1 && seen.every(([x, y, again]) => x === y && x === again), how)
  }
  // What is untouched is the same at the later point: no reason to begin anew.
  let ran = 0
  const { result } = await store.transact({
    keys,
    preflight: async (ctx) => {
      ran++
      const x = ctx.get(state, 'x')
      await state.put('y', 'new')
      return [x, ctx.get(state, 'y')]
    },
    apply: (_, pair) => pair,
  })
  t.deepEqual([ran, result], [1, [2, 'new']])
})

test('keys that are a function are asked for at each run', async (t) => {
  const store = await openStore(t)
  const { state } = store
  await state.put('current', 'one')
  await state.put('one', 1)
  await state.put('two', 2)
  const { result } = await store.transact({
    keys: () => ({ read: [state.key('current'), state.key(state.get('current') as string)] }),
    preflight: async (ctx) => {
      const current = ctx.get(state, 'current') as string
      const value = ctx.get(state, current)
      if (current === 'one') await state.put('current', 'two')
      return value
    },
    apply: (_, value) => value,
  })
  t.is(result, 2)
})

test('fifty who transfer at the same time, and others who ignore the locks, neither make money nor lose it', async (t) => {
  const ROUNDS = 10_000
  const ACCOUNTS = 40
  const seed = runSeed()
  t.log(`LEDGERSTONE_SEED=${seed}`)
  const random = new Random(seed)
  const store = await openStore(t, { flush: { bytes: 1 << 16 } })
  const accounts = store.collection('accounts', { value: json<number>() })
  const ids = Array.from({ length: ACCOUNTS }, (_, n) => `account ${n}`)
  store.apply((tx) => ids.forEach((id) => tx.put(accounts, id, 100)))
  let left = ROUNDS
  let [rejected, reruns, unlocked, preflights] = [0, 0, 0, 0]
  const two = (): [string, string] => {
    const from = random.below(ACCOUNTS)
    return [ids[from] as string, ids[(from + 1 + random.below(ACCOUNTS - 1)) % ACCOUNTS] as string]
  }
  const transfer = async (): Promise<void> => {
    const [from, to] = two()
    const amount = 1 + random.below(60)
    let ran = 0
    await store.transact({
      keys: { write: [accounts.key(from), accounts.key(to)] },
      preflight: async (ctx) => {
        preflights++
        if (++ran > 1) reruns++
        const [a, b] = ctx.getMany(accounts, [from, to]) as [number, number]
        if (random.oneIn(2)) await new Promise((resolve) => setImmediate(resolve))
        else await Promise.resolve()
        if (a < amount) ctx.reject('too little')
        return { a, b }
      },
      apply: (tx, { a, b }) => {
        // As read in the preflight: without validation a transfer that came in between would be undone.
        tx.put(accounts, from, a - amount)
        tx.put(accounts, to, b + amount)
      },
    })
  }
  const without = (): void => {
    const [from, to] = two()
    unlocked++
    store.apply((tx) => {
      const [a, b] = [tx.get(accounts, from) as number, tx.get(accounts, to) as number]
      if (a === 0) return
      tx.put(accounts, from, a - 1)
      tx.put(accounts, to, b + 1)
    })
  }
  await Promise.all(
    Array.from({ length: 50 }, async () => {
      while (left-- > 0) {
        if (random.oneIn(8)) without()
        await retry(transfer, { attempts: 50, minDelayMs: 0, maxDelayMs: 0 }).catch((error: unknown) => {
          if ((error as LedgerstoneError).code !== 'ERR_PREFLIGHT_REJECTED') throw error
          rejected++
        })
      }
    }),
  )
  const values = [...accounts.range().values()]
  t.is(
    values.reduce((sum, value) => sum + value, 0),
    ACCOUNTS * 100,
  )
  t.true(values.every((value) => value >= 0))
  t.true(rejected > 0 && reruns > 0 && unlocked > 0, `${preflights} preflights, ${reruns} of them again, ${rejected} rejected, ${unlocked} without locks`)
  t.log(`${preflights} preflights, ${reruns} of them again, ${rejected} rejected, ${unlocked} without locks`)
  const { held, waiting } = store.locks.stats()
  t.deepEqual([held, waiting, store.stats().readers.snapshots], [0, 0, 0])
})
