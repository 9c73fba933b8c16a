// Transactions: reads that see their own writes, all or nothing, and everything that ends one.
import test from 'ava'
import { binary, json, utf8, type Transaction, type WriteTxn, type Json } from '../../src/index.ts'
import { codeOf, openStore } from '../support/store.ts'

test("reads see the transaction's own writes", async (t) => {
  const store = await openStore(t)
  await store.transact((tx) => {
    tx.put(store.state, 'kept', 0)
    tx.put(store.state, 'gone', 0)
  })
  store.apply((tx) => {
    tx.put(store.state, 'new', 1)
    t.is(tx.get(store.state, 'new'), 1)
    tx.put(store.state, 'new', 2)
    t.true(tx.delete(store.state, 'gone'))
    t.false(tx.delete(store.state, 'gone'))
    t.false(tx.delete(store.state, 'never'))
    t.deepEqual(tx.getMany(store.state, ['new', 'gone', 'kept', 'never']), [2, undefined, 0, undefined])
    t.deepEqual(
      ['new', 'gone', 'kept', 'never'].map((key) => tx.has(store.state, key)),
      [true, false, true, false],
    )
    t.deepEqual(tx.range(store.state).toArray(), [
      ['kept', 0],
      ['new', 2],
    ])
    t.is(tx.range(store.state).count(), 2)
    tx.put(store.state, 'gone', 'back')
    t.is(tx.get(store.state, 'gone'), 'back')
  })
  t.deepEqual(store.state.range().toArray(), [
    ['gone', 'back'],
    ['kept', 0],
    ['new', 2],
  ])
})

test('reads through the store go through the open transaction', async (t) => {
  const store = await openStore(t)
  const other = await openStore(t, {}, store.path)
  const range = store.state.range()
  store.apply((tx) => {
    tx.put(store.state, 'ü', 1)
    t.is(store.get(store.state, 'ü'), 1)
    t.is(store.state.get('ü'), 1)
    t.true(store.state.has('ü'))
    t.deepEqual(store.state.getMany(['ü']), [1])
    t.deepEqual(range.toArray(), [['ü', 1]])
    t.is(other.state.get('ü'), 1, 'a handle of the same store in this thread')
    const snapshot = store.snapshot()
    t.is(snapshot.get(store.state, 'ü'), undefined, 'a snapshot is a point in time before')
    snapshot.release()
  })
})

test('a write through the store aborts the transaction, even when its error is dropped', async (t) => {
  const store = await openStore(t)
  const other = await openStore(t, {}, store.path)
  const dropped: Promise<unknown>[] = []
  const attempts: Record<string, () => unknown> = {
    apply: () => {
      try {
        store.apply(() => {})
      } catch {}
    },
    writeTxn: () => {
      try {
        store.writeTxn()
      } catch {}
    },
    transact: () => dropped.push(store.transact(() => {})),
    put: () => dropped.push(store.state.put('b', 1)),
    delete: () => dropped.push(store.state.delete('b')),
    append: () => dropped.push(store.append('e')),
    appendAll: () => dropped.push(store.appendAll([])),
    dropCollection: () => dropped.push(store.dropCollection('c')),
    'put of another handle': () => dropped.push(other.state.put('b', 1)),
  }
  for (const [name, attempt] of Object.entries(attempts)) {
    t.is(
      await codeOf(() =>
        store.apply((tx) => {
          tx.put(store.state, 'a', 1)
          attempt()
          t.throws(() => tx.get(store.state, 'a'), { code: 'ERR_TRANSACTION_OPEN' })
        }),
      ),
      'ERR_TRANSACTION_OPEN',
      name,
    )
  }
  for (const { status, reason } of (await Promise.allSettled(dropped)) as PromiseRejectedResult[]) {
    t.is(status, 'rejected')
    t.is((reason as { code: string }).code, 'ERR_TRANSACTION_OPEN')
  }
  t.deepEqual([store.state.range().count(), store.nextEventId], [0, 1])
  t.is((await store.state.put('after', 1)).seq, 1)
})

test('an argument mistake is no attempt to write', async (t) => {
  const store = await openStore(t)
  const handle = store.apply((tx) => {
    tx.put(store.state, 'a', 1)
    t.throws(() => store.apply(1 as never), { code: 'ERR_INVALID_ARGUMENT' })
  })
  t.is(handle.commit.keysWritten, 1)
})

test('what fn throws passes through unchanged and leaves no trace', async (t) => {
  const store = await openStore(t)
  for (const thrown of [new Error('mine'), 'text', undefined, null, 42]) {
    const work = (tx: Transaction<Json>): never => {
      tx.put(store.state, 'a', 1)
      tx.append('e')
      throw thrown
    }
    let caught: unknown = 'nothing'
    try {
      store.apply(work)
    } catch (error) {
      caught = error
    }
    t.is(caught, thrown)
    t.is(await store.transact(work).catch((error: unknown) => error), thrown)
  }
  t.deepEqual([store.state.get('a'), store.nextEventId, store.stats().levels.applied], [undefined, 1, 0])
})

test('a call that fails has written nothing, and the transaction goes on', async (t) => {
  const store = await openStore(t, { limits: { keyBytes: 10, valueBytes: 100, eventBytes: 50, transactionBytes: 1024 } })
  const raw = store.collection('raw', { value: binary() })
  const { commit, result } = store.apply((tx) => {
    tx.put(raw, 'first', Buffer.alloc(100))
    t.like(
      t.throws(() => tx.put(raw, '12345678901', Buffer.alloc(1)), { code: 'ERR_LIMIT' }),
      { limit: 'keyBytes', size: 11, max: 10 },
    )
    t.like(
      t.throws(() => tx.put(raw, 'a', Buffer.alloc(101)), { code: 'ERR_LIMIT' }),
      { limit: 'valueBytes', size: 101, max: 100 },
    )
    t.like(
      t.throws(() => tx.append('x'.repeat(49)), { code: 'ERR_LIMIT' }),
      { limit: 'eventBytes', size: 51, max: 50 },
    )
    t.throws(() => tx.delete(raw, '12345678901'), { code: 'ERR_LIMIT' })
    t.throws(() => tx.put(raw, '', Buffer.alloc(1)), { code: 'ERR_INVALID_ARGUMENT' })
    t.throws(() => tx.delete(raw, ''), { code: 'ERR_INVALID_ARGUMENT' })
    t.throws(() => tx.put(store.state, 'a', undefined as never), { code: 'ERR_CODEC' })
    t.throws(() => tx.put(raw, '\udc00', Buffer.alloc(1)), { code: 'ERR_CODEC' })
    t.throws(() => tx.put(raw, 'a', 'text' as never), { code: 'ERR_CODEC' })
    t.throws(() => tx.append(1n as never), { code: 'ERR_CODEC' })
    t.throws(() => tx.appendAll(['ok', undefined as never]), { code: 'ERR_CODEC' })
    const full = t.throws(
      () => {
        for (let i = 0; i < 20; i++) tx.put(raw, `k${i}`, Buffer.alloc(100))
      },
      { code: 'ERR_LIMIT' },
    )
    t.like(full, { limit: 'transactionBytes', max: 1024 })
    t.throws(() => tx.appendAll(['small', 'x'.repeat(40), 'x'.repeat(40), 'x'.repeat(40), 'x'.repeat(40), 'x'.repeat(40)]), { code: 'ERR_LIMIT' })
    return tx.append('last')
  })
  t.is(result, 1)
  t.is(commit.eventsWritten, 1)
  t.is(commit.keysWritten, raw.range().count())
  t.is(raw.get('first')?.length, 100)
  t.is(raw.get('a'), undefined)
})

test('appendAll and deleteRange are all or nothing', async (t) => {
  const store = await openStore(t, { limits: { transactionBytes: 1600 } })
  await store.transact((tx) => {
    for (let i = 0; i < 60; i++) tx.put(store.state, `k${i}`, i)
  })
  await store.transact((tx) => {
    for (let i = 60; i < 120; i++) tx.put(store.state, `k${i}`, i)
  })
  store.apply((tx) => {
    tx.put(store.state, 'own', 1)
    t.throws(() => tx.deleteRange(store.state, {}), { code: 'ERR_LIMIT' })
    t.is(tx.range(store.state).count(), 121)
    t.is(tx.deleteRange(store.state, { lt: 'k2' }), 32)
    t.is(tx.range(store.state).count(), 89)
  })
  t.is(store.state.range().count(), 89)
})

test('deleteRange tells how many there were, own writes included', async (t) => {
  const store = await openStore(t)
  await store.transact((tx) => {
    for (const key of ['a', 'b', 'c', 'd']) tx.put(store.state, key, key)
  })
  const { commit } = store.apply((tx) => {
    tx.put(store.state, 'bb', 1)
    tx.delete(store.state, 'c')
    t.is(tx.deleteRange(store.state, { gte: 'b', lt: 'd' }), 2)
    t.is(tx.deleteRange(store.state, { gte: 'b', lt: 'd' }), 0)
    t.is(tx.deleteRange(store.state, { gte: 'd', lt: 'b' }), 0)
    for (const wrong of [undefined, { reverse: true }, { limit: 1 }, 'all']) t.throws(() => tx.deleteRange(store.state, wrong as never), { code: 'ERR_INVALID_ARGUMENT' })
  })
  t.deepEqual([commit.keysWritten, commit.keysDeleted], [0, 3])
  t.deepEqual([...store.state.range().keys()], ['a', 'd'])
})

test('an iteration sees the writes made before it started and not later ones', async (t) => {
  const store = await openStore(t)
  const n = 2000
  const key = (i: number): string => String(i).padStart(5, '0')
  await store.transact((tx) => {
    for (let i = 0; i < n; i += 2) tx.put(store.state, key(i), i)
  })
  for (const reverse of [false, true]) {
    t.throws(
      () =>
        store.apply((tx) => {
          for (let i = 1; i < n; i += 2) tx.put(store.state, key(i), i)
          tx.delete(store.state, key(7))
          const seen: string[] = []
          for (const at of tx.range(store.state, { reverse }).keys()) {
            seen.push(at)
            tx.delete(store.state, at)
            tx.put(store.state, `${at}-later`, 0)
          }
          const expected = Array.from({ length: n }, (_, i) => key(i)).filter((at) => at !== key(7))
          t.deepEqual(seen, reverse ? expected.toReversed() : expected)
          t.is(tx.range(store.state).count(), n - 1)
          t.deepEqual(tx.range(store.state, { limit: 2 }).toArray(), [
            [`${key(0)}-later`, 0],
            [`${key(1)}-later`, 0],
          ])
          throw new Error('again')
        }),
      { message: 'again' },
    )
  }
})

test('own writes and committed ones are merged within bounds, prefix and limit', async (t) => {
  const store = await openStore(t)
  const raw = store.collection('raw', { key: binary(), value: utf8() })
  await store.transact((tx) => {
    for (const key of ['61', '61ff', '62', '6200']) tx.put(raw, Buffer.from(key, 'hex'), 'old')
  })
  store.apply((tx) => {
    tx.put(raw, Buffer.from('61ff', 'hex'), 'new')
    tx.put(raw, Buffer.from('61ffff', 'hex'), 'new')
    tx.put(raw, Buffer.from('60', 'hex'), 'new')
    tx.delete(raw, Buffer.from('61', 'hex'))
    const entries = (range: Parameters<typeof raw.range>[0]): string[] =>
      tx
        .range(raw, range)
        .toArray()
        .map(([key, value]) => `${Buffer.from(key).toString('hex')} ${value}`)
    t.deepEqual(entries({ prefix: Buffer.from('61', 'hex') }), ['61ff new', '61ffff new'])
    t.deepEqual(entries({ reverse: true, limit: 3 }), ['6200 old', '62 old', '61ffff new'])
    t.deepEqual(entries({ gt: Buffer.from('60', 'hex'), lte: Buffer.from('62', 'hex') }), ['61ff new', '61ffff new', '62 old'])
    t.deepEqual(entries({ limit: 0 }), [])
    t.is(tx.range(raw, { prefix: Buffer.from('61', 'hex') }).count(), 2)
    t.deepEqual([...tx.range(raw, { prefix: Buffer.from('61', 'hex') }).values()], ['new', 'new'])
  })
})

test('ids are those the events will have, and an abort burns none', async (t) => {
  const store = await openStore(t)
  store.apply((tx) => {
    t.is(tx.append('one'), 1)
    t.deepEqual(tx.appendAll(['two', 'three']), { first: 2, last: 3 })
    t.is(tx.appendAll([]), undefined)
    t.is(tx.append('four'), 4)
    t.throws(() => tx.appendAll('text' as never), { code: 'ERR_INVALID_ARGUMENT' })
  })
  t.throws(
    () =>
      store.apply((tx) => {
        t.is(tx.append('lost'), 5)
        throw new Error('no')
      }),
    { message: 'no' },
  )
  const { firstEventId, lastEventId, eventsWritten } = await store.append(['five', 'six'])
  t.deepEqual([firstEventId, lastEventId, eventsWritten], [5, 6, 2])
  t.deepEqual(
    [...store.events()].map(({ id, event }) => [id, event]),
    [
      [1, 'one'],
      [2, 'two'],
      [3, 'three'],
      [4, 'four'],
      [5, 'five'],
      [6, 'six'],
    ],
  )
})

test('a callback that returns a promise is refused and its transaction aborted', async (t) => {
  const store = await openStore(t)
  const late = async (tx: Transaction<Json>): Promise<void> => {
    tx.put(store.state, 'a', 1)
    await Promise.resolve()
    tx.put(store.state, 'b', 1) // fails, unheard
  }
  t.throws(() => store.apply(late as never), { code: 'ERR_ASYNC_TRANSACTION' })
  await t.throwsAsync(store.transact(late as never), { code: 'ERR_ASYNC_TRANSACTION' })
  // oxlint-disable-next-line unicorn/no-thenable -- that is the point
  const thenable = { then() {} } as never
  await t.throwsAsync(
    store.transact(() => thenable),
    { code: 'ERR_ASYNC_TRANSACTION' },
  )
  await new Promise((resolve) => setImmediate(resolve))
  t.is(store.state.range().count(), 0)
})

test('a transaction is finished after its end', async (t) => {
  const store = await openStore(t)
  await store.state.put('a', 1)
  let tx!: Transaction<Json>
  let iteration!: Iterator<unknown>
  let range!: Iterable<unknown>
  store.apply((open) => {
    tx = open
    range = tx.range(store.state)
    iteration = store.state.range()[Symbol.iterator]()
    iteration.next()
  })
  const calls = [
    () => tx.get(store.state, 'a'),
    () => tx.getMany(store.state, ['a']),
    () => tx.has(store.state, 'a'),
    () => tx.range(store.state),
    () => [...range],
    () => tx.put(store.state, 'a', 1),
    () => tx.delete(store.state, 'a'),
    () => tx.deleteRange(store.state, {}),
    () => tx.append('e'),
    () => tx.appendAll(['e']),
    () => tx.appendAll([]),
    () => iteration.next(),
  ]
  for (const call of calls) t.is(await codeOf(call), 'ERR_TRANSACTION_FINISHED', call.toString())
})

test('a codec that ends the transaction it encodes for has ended it', async (t) => {
  const store = await openStore(t)
  const tx = store.writeTxn()
  const nasty = {
    toJSON: () => {
      tx.abort()
      return 1
    },
  }
  t.throws(() => tx.put(store.state, 'a', nasty as never), { code: 'ERR_TRANSACTION_FINISHED' })
  t.is((await store.state.put('b', 1)).seq, 1)
})

test('the explicit form commits, aborts, and is disposed of', async (t) => {
  const store = await openStore(t)
  const tx = store.writeTxn()
  tx.put(store.state, 'a', 1)
  const handle = tx.commit()
  t.is(handle.commit.seq, 1)
  t.is(handle.result, undefined)
  t.throws(() => tx.commit(), { code: 'ERR_TRANSACTION_FINISHED' })
  tx.abort()
  tx[Symbol.dispose]()
  const aborted = store.writeTxn()
  aborted.put(store.state, 'b', 1)
  aborted.get(store.state, 'b')
  aborted[Symbol.dispose]()
  t.throws(() => aborted.put(store.state, 'b', 1), { code: 'ERR_TRANSACTION_FINISHED' })
  t.deepEqual(store.state.range().toArray(), [['a', 1]])
})

test('one that is still open when the next microtask runs is aborted', async (t) => {
  const store = await openStore(t)
  let tx!: WriteTxn<Json>
  await (async () => {
    tx = store.writeTxn()
    tx.put(store.state, 'a', 1)
    tx.append('e')
    await Promise.resolve()
  })()
  t.throws(() => tx.commit(), { code: 'ERR_TRANSACTION_FINISHED' })
  t.is((await store.state.put('b', 1)).seq, 1)
  t.is(store.state.get('a'), undefined)
})

test('the explicit form is doomed by a write beside it', async (t) => {
  const store = await openStore(t)
  const tx = store.writeTxn()
  tx.put(store.state, 'a', 1)
  await t.throwsAsync(store.state.put('b', 1), { code: 'ERR_TRANSACTION_OPEN' })
  t.throws(() => tx.commit(), { code: 'ERR_TRANSACTION_OPEN' })
  t.is(store.state.range().count(), 0)
})

test('a schema validates before anything is written', async (t) => {
  const store = await openStore(t)
  const positive = json({
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value: unknown) => ((value as number) > 0 ? { value: (value as number) * 2 } : { issues: [{ message: 'too small' }] }),
      types: undefined as unknown as { input: number; output: number },
    },
  })
  const numbers = store.collection('numbers', { value: positive })
  await numbers.put('a', 1)
  t.is(numbers.get('a'), 2)
  await t.throwsAsync(numbers.put('b', -1), { code: 'ERR_VALIDATION' })
  store.apply((tx) => t.throws(() => tx.put(numbers, 'b', 0), { code: 'ERR_VALIDATION', name: 'ValidationError' }))
  t.deepEqual(numbers.range().toArray(), [['a', 2]])
})
