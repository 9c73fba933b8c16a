// Transactions in three phases: what a preflight may read and when, which of them run at the same time, and what it costs.
import test from 'ava'
import { binary, json, LedgerstoneError, type PreflightContext, type PreflightRejectedError, utf8 } from '../../src/index.ts'
import { callsUntil } from '../counted/calls.ts'
import { codeOf, openStore } from '../support/store.ts'
import { turn } from '../support/turns.ts'

const APPLIED = { durability: 'applied' } as const

test('what the preflight returns is handed to apply, and apply is a transaction like any other', async (t) => {
  const store = await openStore(t)
  const { state } = store
  await state.put('a', 1)
  const { result, seq, keysWritten, firstEventId } = await store.transact({
    keys: { read: [state.key('a')], write: [state.key('b')] },
    preflight: async (ctx) => {
      await Promise.resolve()
      return ctx.get(state, 'a') as number
    },
    apply: (tx, checked) => {
      tx.put(state, 'b', checked + 1)
      tx.put(state, 'undeclared', tx.get(state, 'a') as number)
      tx.append('an event')
      return checked
    },
  })
  t.deepEqual([result, seq, keysWritten, firstEventId], [1, 2, 2, 1])
  t.deepEqual(state.range().toArray(), [
    ['a', 1],
    ['b', 2],
    ['undeclared', 1],
  ])
  t.deepEqual(
    [...store.events()].map(({ event }) => event),
    ['an event'],
  )
})

test('the durability that is asked for is waited for, after the locks are given back', async (t) => {
  const store = await openStore(t)
  const { state } = store
  const commit = store.transact({ keys: { write: [state.key('a')] }, preflight: () => 1, apply: (tx, n) => tx.put(state, 'a', n) }, { durability: 'durable' })
  while (store.stats().levels.applied === 0) await turn()
  t.is(store.locks.stats().held, 0)
  const { seq } = await commit
  t.true(store.stats().levels.durable >= seq)
})

test('keys, apply and preflight in any form: a function, synchronous, without keys', async (t) => {
  const store = await openStore(t)
  const { state } = store
  let evaluated = 0
  const keys = (): { write: ReturnType<typeof state.key>[] } => {
    evaluated++
    return { write: [state.key('a')] }
  }
  await store.transact({ apply: (tx, n) => tx.put(state, 'a', n), preflight: () => 7, keys })
  t.deepEqual([state.get('a'), evaluated], [7, 1])
  const { result } = await store.transact({ keys: {}, preflight: () => Promise.resolve(8), apply: (_, n) => n })
  t.is(result, 8)
})

test('declared keys can be read, those to be written too, in every way; what is missing is undefined', async (t) => {
  const store = await openStore(t)
  const { state } = store
  const bytes = store.collection('bytes', { key: binary(), value: binary() })
  const texts = store.collection('texts', { value: utf8() })
  const [one, large] = [Buffer.from([0xff, 0]), Buffer.alloc(100_000, 7)]
  store.apply((tx) => {
    tx.put(state, 'a', { n: 'ü' })
    tx.put(bytes, one, large)
    tx.put(texts, 'long', '€'.repeat(50_000))
    tx.put(texts, 'empty', '')
  })
  for (const flushed of [false, true]) {
    if (flushed) await store.flush()
    const seen = await store.transact({
      keys: { read: [state.key('a'), state.key(''), bytes.key(one), texts.key('long'), texts.key('empty')], write: [state.key('b')] },
      preflight: (ctx) => [
        ctx.get(state, 'a'),
        ctx.get(state, 'b'),
        ctx.get(state, ''),
        ctx.has(state, 'a'),
        ctx.has(state, 'b'),
        ctx.getMany(state, ['b', 'a', '']),
        ctx.get(bytes, one)?.equals(large),
        ctx.get(texts, 'long'),
        ctx.getMany(texts, ['empty', 'long']).map((text) => text?.length),
      ],
      apply: (_, values) => values,
    })
    t.deepEqual<unknown[], unknown[]>(seen.result, [
      { n: 'ü' },
      undefined,
      undefined,
      true,
      false,
      [undefined, { n: 'ü' }, undefined],
      true,
      '€'.repeat(50_000),
      [0, 50_000],
    ])
  }
})

test('a key that was not declared cannot be read, and the error names it', async (t) => {
  const store = await openStore(t)
  const { state } = store
  const other = store.collection('other', { key: binary() })
  const reads: readonly ((ctx: PreflightContext) => unknown)[] = [
    (ctx) => ctx.get(state, 'b'),
    (ctx) => ctx.has(state, 'ab'),
    (ctx) => ctx.getMany(state, ['a', 'b']),
    (ctx) => ctx.get(other, Buffer.from('a')),
    (ctx) => ctx.range(state),
    (ctx) => ctx.range(state, { gte: 'a', lte: 'a' }),
    (ctx) => ctx.range(state, { prefix: 's' }),
    (ctx) => ctx.range(state, { gt: 'sp', lte: 'sz' }),
    (ctx) => ctx.range(state, { gte: 'sp' }),
  ]
  for (const read of reads) {
    t.is(
      await codeOf(() =>
        store.transact({
          keys: { read: [state.key('a'), state.keys({ gte: 'sp', lt: 'sz' })] },
          preflight: (ctx) => void read(ctx),
          apply: () => t.fail('it is applied'),
        }),
      ),
      'ERR_UNDECLARED_KEY',
      String(read),
    )
  }
  const caught = await store.transact({
    keys: {},
    preflight: (ctx) => codeOf(() => ctx.get(state, 'a')),
    apply: (_, code) => code,
  })
  t.is(caught.result, 'ERR_UNDECLARED_KEY', 'who catches it goes on')
})

test('a span that is declared can be read as a range, as a part of it, and by key', async (t) => {
  const store = await openStore(t)
  const { state } = store
  const numbers = store.collection('numbers', { value: json<number>() })
  store.apply((tx) => {
    for (const key of ['a', 'ab', 'b', 'c']) tx.put(numbers, key, key.length)
    tx.put(state, 'a', 5)
  })
  const { result } = await store.transact({
    keys: { read: [numbers.keys({ prefix: 'a' }), numbers.keys({ gt: 'b' })], write: [state.key('sum')] },
    preflight: async (ctx) => {
      const range = ctx.range(numbers, { prefix: 'a' })
      await Promise.resolve()
      const nothing = ctx.range(numbers, { gte: 'b', lt: 'b' })
      return [
        range.toArray(),
        [...range.keys()],
        ctx.range(numbers, { gte: 'a', lte: 'ab', reverse: true, limit: 1 }).toArray(),
        range.count(),
        ctx.get(numbers, 'ab'),
        ctx.range(numbers, { gt: 'bb' }).toArray(),
        nothing.toArray(),
      ]
    },
    apply: (_, seen) => seen,
  })
  t.deepEqual<unknown[], unknown[]>(result, [
    [
      ['a', 1],
      ['ab', 2],
    ],
    ['a', 'ab'],
    [['ab', 2]],
    2,
    2,
    [['c', 1]],
    [],
  ])
  t.is(store.stats().readers.snapshots, 0)
})

test('reject() ends it with what it says, also when somebody catches that', async (t) => {
  const store = await openStore(t)
  const keys = { write: [store.state.key('a')] }
  const rejections: readonly ((ctx: PreflightContext) => unknown)[] = [
    (ctx) => ctx.reject('too little', 'too late'),
    async (ctx) => {
      await Promise.resolve()
      return ctx.reject('too little', 'too late')
    },
    (ctx) => codeOf(() => ctx.reject('too little', 'too late')),
  ]
  for (const preflight of rejections) {
    const error = await t.throwsAsync(store.transact({ keys, preflight, apply: () => t.fail('it is applied') }), { instanceOf: LedgerstoneError })
    t.is(error.code, 'ERR_PREFLIGHT_REJECTED')
    t.deepEqual((error as PreflightRejectedError).errors, ['too little', 'too late'])
  }
  t.is(await codeOf(() => store.transact({ keys, preflight: (ctx) => ctx.reject(...([] as unknown as [string])), apply: () => {} })), 'ERR_INVALID_ARGUMENT')
})

test('after its end nothing can be asked of a context', async (t) => {
  const store = await openStore(t)
  const { state } = store
  await state.put('a', 1)
  let kept: PreflightContext | undefined
  let iterator: Iterator<unknown> | undefined
  await store.transact({
    keys: { read: [state.key('a'), state.keys()] },
    preflight: (ctx) => {
      kept = ctx
      iterator = ctx.range(state)[Symbol.iterator]()
      iterator.next()
    },
    apply: () => {},
  })
  const ctx = kept as PreflightContext
  for (const use of [() => ctx.get(state, 'a'), () => ctx.has(state, 'a'), () => ctx.range(state), () => ctx.reject('late'), () => iterator?.next()]) {
    t.throws(use, { code: 'ERR_TRANSACTION_FINISHED' })
  }
  t.false(ctx.signal.aborted)
  await store.close()
  t.throws(() => ctx.get(state, 'a'), { code: 'ERR_CLOSED' })
})

test('preflights that share no key are inside at the same time, as are those that only read one', async (t) => {
  const store = await openStore(t)
  const { state } = store
  for (const keys of [(n: number) => ({ write: [state.key(`k${n}`)] }), () => ({ read: [state.key('shared')] })]) {
    let inside = 0
    let open = (): void => {}
    const all = new Promise<void>((resolve) => (open = resolve))
    // Each waits for all of them: if one kept another out nobody would come through.
    const arrive = (): Promise<void> => {
      if (++inside === 8) open()
      return all
    }
    await Promise.all(Array.from({ length: 8 }, (_, n) => store.transact({ keys: keys(n), preflight: arrive, apply: (tx) => tx.put(state, `k${n}`, n) })))
    t.is(inside, 8)
  }
})

test('preflights of one key run one after the other, each behind the apply of the one before', async (t) => {
  const store = await openStore(t)
  const { state } = store
  const order: string[] = []
  await Promise.all(
    Array.from({ length: 5 }, (_, n) =>
      store.transact({
        keys: { write: [state.key('a')] },
        preflight: async (ctx) => {
          order.push(`in ${n}`)
          await new Promise((resolve) => setImmediate(resolve))
          return Number(ctx.get(state, 'a') ?? 0)
        },
        apply: (tx, value) => {
          order.push(`out ${n}`)
          tx.put(state, 'a', value + 1)
        },
      }),
    ),
  )
  t.deepEqual(
    order,
    [0, 1, 2, 3, 4].flatMap((n) => [`in ${n}`, `out ${n}`]),
  )
  t.is(state.get('a'), 5)
})

test("while a preflight waits other transactions go on, its own thread's and its own ones too", async (t) => {
  const store = await openStore(t)
  const { state } = store
  const { seq } = await store.transact({
    keys: { read: [state.key('a')] },
    preflight: async (ctx) => {
      ctx.get(state, 'a')
      await state.put('b', 1)
      await store.transact({ keys: { write: [state.key('c')] }, preflight: () => {}, apply: (tx) => tx.put(state, 'c', 1) })
      store.apply((tx) => tx.put(state, 'd', 1))
      return ctx.get(state, 'a')
    },
    apply: (tx) => tx.put(state, 'e', 1),
  })
  t.is(seq, 4)
})

test('it cannot be begun inside a transaction, and one that is open when its turn comes is left alone', async (t) => {
  const store = await openStore(t)
  const { state } = store
  const phases = { keys: { write: [state.key('a')] }, preflight: () => t.fail('it runs'), apply: () => t.fail('it is applied') }
  for (const begin of [() => store.transact(phases), () => store.check({ keys: phases.keys, preflight: phases.preflight })]) {
    t.is(
      await codeOf(() =>
        store.apply((tx) => {
          tx.put(state, 'a', 1)
          begin().catch(() => {})
        }),
      ),
      'ERR_TRANSACTION_OPEN',
    )
  }
  t.is(state.get('a'), undefined)
  const guard = await store.locks.acquire({ write: [state.key('a')] })
  const waiting = store.transact({ keys: { write: [state.key('a')] }, preflight: () => 1, apply: (tx, n) => tx.put(state, 'a', n) })
  guard.release()
  const tx = store.writeTxn()
  tx.put(state, 'b', 2)
  queueMicrotask(() => {})
  tx.commit()
  await waiting
  t.deepEqual(state.range().toArray(), [
    ['a', 1],
    ['b', 2],
  ])
})

test('keys are not only keys of this store, and not of any other kind', async (t) => {
  const store = await openStore(t)
  const other = await openStore(t)
  const { state } = store
  const run = (keys: unknown, more: object = {}): Promise<unknown> =>
    codeOf(() => store.transact({ keys: keys as never, preflight: () => t.fail('it runs'), apply: () => {}, ...more }))
  const wrong = [
    undefined,
    5,
    [],
    { read: state.key('a') },
    { read: ['a'] },
    { write: [state.keys()] },
    { write: [other.state.key('a')] },
    { read: [other.state.keys()] },
    { both: [] },
    () => undefined,
    () => Promise.resolve({}),
  ]
  for (const keys of wrong) t.is(await run(keys), 'ERR_INVALID_ARGUMENT')
  t.is(await run({}, { apply: 5 }), 'ERR_INVALID_ARGUMENT')
  t.is(await run({}, { preflight: undefined }), 'ERR_INVALID_ARGUMENT')
  t.is(await run({}, { colour: 'red' }), 'ERR_INVALID_ARGUMENT')
  t.is(await codeOf(() => store.locks.acquire({ write: [state.keys()] })), 'ERR_INVALID_ARGUMENT')
  t.throws(() => state.keys({ gt: 'a', gte: 'b' }), { code: 'ERR_INVALID_ARGUMENT' })
  for (const options of [{ timeoutMs: -1 }, { timeoutMs: 2 ** 31 }, { signal: {} }, { colour: 'red' }, { durability: 'forever' }]) {
    t.is(await codeOf(() => store.transact({ keys: {}, preflight: () => t.fail('it runs'), apply: () => {} }, options as never)), 'ERR_INVALID_ARGUMENT')
  }
  t.is(await codeOf(() => store.check({ keys: {}, preflight: () => {}, apply: () => {} } as never)), 'ERR_INVALID_ARGUMENT')
  t.is(await codeOf(() => store.check({ keys: {}, preflight: () => {} }, { durability: 'durable' } as never)), 'ERR_INVALID_ARGUMENT')
})

test('check() runs the first phase alone and tells what came of it', async (t) => {
  const store = await openStore(t)
  const { state } = store
  await state.put('a', 1)
  const keys = { read: [state.keys({ prefix: 's' })], write: [state.key('a')] }
  const described = { readKeys: [{ collection: 'state', range: { prefix: 's' } }], writeKeys: [{ collection: 'state', key: 'a' }] }
  t.deepEqual(await store.check({ keys, preflight: (ctx) => ctx.get(state, 'a') }), { valid: true, errors: [], ...described })
  t.deepEqual(await store.check({ keys, preflight: async (ctx) => ctx.reject('no', 'never') }), { valid: false, errors: ['no', 'never'], ...described })
  await store.seal()
  t.true((await store.check({ keys, preflight: () => {} })).valid, 'it writes nothing')
  await t.throwsAsync(store.check({ keys, preflight: fail }), { message: 'of its own' })
  t.is(await codeOf(() => store.check({ keys, preflight: (ctx) => ctx.get(state, 'b') })), 'ERR_UNDECLARED_KEY')
  const guard = await store.locks.acquire({ read: [state.key('a')] })
  t.is(await codeOf(() => store.check({ keys, preflight: () => {} }, { timeoutMs: 0 })), 'ERR_LOCK_TIMEOUT')
  guard.release()
  t.deepEqual([store.locks.stats().held, store.stats().levels.applied], [0, 2])
})

test('a collection of another handle of the same store is the same collection, also for locks', async (t) => {
  const store = await openStore(t)
  const other = await openStore(t, {}, store.path)
  await store.state.put('a', 1)
  const { result } = await store.transact({
    keys: { read: [other.state.keys({ prefix: 'z' })], write: [other.state.key('a')] },
    preflight: (ctx) => {
      t.is(other.locks.tryAcquire({ read: [store.state.key('a')] }), undefined)
      return [ctx.get(store.state, 'a'), ctx.get(other.state, 'a'), ctx.range(store.state, { prefix: 'z' }).count()]
    },
    apply: (_, seen) => seen,
  })
  t.deepEqual(result, [1, 1, 0])
})

test.serial('a preflight of one key costs two native calls more than a transaction that reads it', async (t) => {
  const store = await openStore(t)
  const { state } = store
  await state.put('a', 1)
  const plain = await callsUntil(() => store.transact((tx) => tx.put(state, 'b', tx.get(state, 'a') as number), APPLIED))
  t.deepEqual(plain, { begin: 1, get: 1, commit: 1 })
  const phases = {
    keys: { read: [state.key('a')] },
    preflight: async (ctx: PreflightContext) => {
      const value = ctx.get(state, 'a') as number
      ctx.get(state, 'a') // as before
      await Promise.resolve()
      return value
    },
    apply: (tx: { put(into: typeof state, key: string, value: number): void }, value: number) => tx.put(state, 'b', value),
  }
  t.deepEqual(await callsUntil(() => store.transact(phases, APPLIED)), { lock: 1, get: 1, begin: 1, commit: 1, unlock: 1 })
  t.deepEqual(await callsUntil(() => store.transact({ ...phases, preflight: () => 1 }, APPLIED)), { lock: 1, commit: 1, unlock: 1 }, 'nothing is read')
})

function fail(): never {
  throw new TypeError('of its own')
}
