// What is waited for, in which order it is settled, and what a signal can still do.
import { getEventListeners } from 'node:events'
import test from 'ava'
import { open, type CommitInfo } from '../../src/index.ts'
import { codeOf, openStore, storePath } from '../support/store.ts'

test('each level resolves with the commit', async (t) => {
  const store = await openStore(t)
  for (const durability of ['applied', 'written', 'durable', undefined] as const) {
    const { seq } = await store.state.put('a', 1, { durability })
    t.is(seq, store.stats().levels.applied)
    if (durability === 'durable') t.true(store.stats().levels.durable >= seq)
    if (durability === 'written') t.true(store.stats().levels.written >= seq)
  }
})

test('a commit tells what it wrote', async (t) => {
  const store = await openStore(t)
  const before = Date.now()
  const commit = await store.transact((tx) => {
    tx.put(store.state, 'a', 1)
    tx.put(store.state, 'a', 2)
    tx.put(store.state, 'b', 1)
    tx.delete(store.state, 'b')
    tx.appendAll(['x', 'y'])
    return 'result'
  })
  t.deepEqual({ ...commit, timestamp: 0 }, { seq: 1, timestamp: 0, eventsWritten: 2, firstEventId: 1, lastEventId: 2, keysWritten: 1, keysDeleted: 1, result: 'result' })
  t.true(commit.timestamp >= before && commit.timestamp <= Date.now())
  const silent = await store.state.put('c', 1)
  t.deepEqual(Object.keys(silent).toSorted(), ['eventsWritten', 'keysDeleted', 'keysWritten', 'seq', 'timestamp'], 'ids are absent, not undefined')
})

test('waiters are settled in the order of their commits', async (t) => {
  const store = await openStore(t)
  const order: number[] = []
  const waiting: Promise<unknown>[] = []
  for (let i = 0; i < 1000; i++) waiting.push(store.state.put(String(i), i, { durability: i % 2 === 0 ? 'durable' : 'written' }).then(({ seq }) => order.push(seq)))
  await Promise.all(waiting)
  for (const parity of [0, 1]) {
    const level = order.filter((seq) => seq % 2 === parity)
    t.deepEqual(
      level,
      level.toSorted((a, b) => a - b),
    )
    t.is(level.length, 500)
  }
})

test('a handle is waited for as often and as late as one likes', async (t) => {
  const store = await openStore(t, { durability: 'durable' })
  const handles = Array.from({ length: 20 }, (_, i) => store.apply((tx) => tx.put(store.state, String(i), i)))
  await handles[10]?.wait('written')
  const all = await Promise.all(handles.toReversed().map((handle) => handle.wait()))
  t.deepEqual(
    all.map(({ seq }) => seq),
    Array.from({ length: 20 }, (_, i) => 20 - i),
  )
  t.is((await handles[3]?.wait('applied'))?.seq, 4)
  t.true(store.stats().levels.durable >= 20)
  t.is(await codeOf(() => handles[0]?.wait('flushed' as never)), 'ERR_INVALID_ARGUMENT')
  await store.close()
  t.is((await handles[0]?.wait('durable'))?.seq, 1)
})

test('writing nothing is a valid commit with the newest seq', async (t) => {
  const store = await openStore(t, { durability: 'durable' })
  const empty = (seq: number): Partial<CommitInfo> => ({ seq, eventsWritten: 0, keysWritten: 0, keysDeleted: 0 })
  t.like(await store.transact(() => {}), empty(0))
  const first = store.apply((tx) => tx.put(store.state, 'a', 1))
  const { groups } = store.stats().journal
  for (const commit of [
    await store.transact((tx) => {
      tx.get(store.state, 'a')
    }),
    await store.append([]),
    await store.appendAll([]),
    await store.state.delete('not'),
    store.apply(() => {}).commit,
  ]) {
    t.like(commit, empty(1))
    t.false('firstEventId' in commit)
  }
  t.true(store.stats().levels.durable >= first.commit.seq, 'waiting for it waits for what was applied before it')
  t.true(store.stats().journal.groups <= groups + 1)
  t.is((await store.state.put('b', 1)).seq, 2)
})

test('deleting a key tells whether there was something', async (t) => {
  const store = await openStore(t)
  await store.state.put('a', 1)
  t.like(await store.state.delete('a'), { seq: 2, keysDeleted: 1, keysWritten: 0 })
  t.like(await store.state.delete('a'), { seq: 2, keysDeleted: 0 })
  t.is(await codeOf(() => store.state.delete('')), 'ERR_INVALID_ARGUMENT')
  t.is(await codeOf(() => store.state.delete('x'.repeat(2000))), 'ERR_LIMIT')
})

test('sync makes all durable, flush puts all into the checkpoint', async (t) => {
  const store = await openStore(t)
  await store.sync()
  await store.flush()
  for (let i = 0; i < 10; i++)
    store.apply((tx) => {
      tx.put(store.state, String(i), i)
      tx.append(i)
    })
  await store.sync()
  t.true(store.stats().levels.durable >= 10)
  await store.flush()
  const { levels, delta, flusher } = store.stats()
  t.is(levels.flushed, 10)
  t.is(delta.entries, 0)
  t.true(flusher.runs >= 1)
  await Promise.all([store.sync(), store.flush(), store.sync()])
})

test('wrong options reject and never throw', async (t) => {
  const store = await openStore(t)
  const wrong: Record<string, (options: never) => Promise<unknown>> = {
    put: (options) => store.state.put('a', 1, options),
    delete: (options) => store.state.delete('a', options),
    append: (options) => store.append('e', options),
    transact: (options) => store.transact(() => {}, options),
    dropCollection: (options) => store.dropCollection('c', options),
  }
  for (const [name, call] of Object.entries(wrong)) {
    for (const options of [{ durability: 'flushed' }, { level: 'durable' }, { signal: 1 }, 'durable', null]) {
      const promise = call(options as never)
      t.true(promise instanceof Promise)
      t.is(await codeOf(() => promise), 'ERR_INVALID_ARGUMENT', `${name} ${JSON.stringify(options)}`)
    }
  }
  t.is(await codeOf(() => store.sync({ durability: 'durable' } as never)), 'ERR_INVALID_ARGUMENT')
  t.is(await codeOf(() => store.flush({ signal: 'now' as never })), 'ERR_INVALID_ARGUMENT')
  t.is(await codeOf(() => store.transact({ keys: {}, preflight() {} } as never)), 'ERR_INVALID_ARGUMENT')
  t.is(await codeOf(() => store.appendAll('text' as never)), 'ERR_INVALID_ARGUMENT')
  t.is(store.stats().levels.applied, 0)
})

test('a signal counts until the commit is applied', async (t) => {
  const store = await openStore(t, { durability: 'durable' })
  const reason = new Error('too late')
  let ran = false
  await t.throwsAsync(
    store.transact(
      () => {
        ran = true
      },
      { signal: AbortSignal.abort(reason) },
    ),
    { is: reason },
  )
  t.false(ran)
  await t.throwsAsync(store.state.put('a', 1, { signal: AbortSignal.abort(reason) }), { is: reason })
  const controller = new AbortController()
  const put = store.state.put('b', 1, { signal: controller.signal })
  controller.abort(reason)
  t.is((await put).seq, 1)
  t.is(getEventListeners(controller.signal, 'abort').length, 0)
})

test('sync and flush can be given up', async (t) => {
  const store = await openStore(t)
  store.apply((tx) => tx.put(store.state, 'a', 1))
  const controller = new AbortController()
  const waits = Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? store.sync({ signal: controller.signal }) : store.flush({ signal: controller.signal })))
  t.is(getEventListeners(controller.signal, 'abort').length, 1)
  controller.abort('enough')
  for (const wait of waits) t.is(await wait.catch((error: unknown) => error), 'enough')
  t.is(getEventListeners(controller.signal, 'abort').length, 0)
  await store.flush({ signal: new AbortController().signal })
})

test('all commits of a turn are one flush', async (t) => {
  const store = await openStore(t, { durability: 'durable' })
  await store.state.put('warm', 1)
  const before = store.stats().journal.flushes
  await Promise.all(
    Array.from({ length: 256 }, (_, i) =>
      store.transact((tx) => {
        tx.put(store.state, String(i), i)
      }),
    ),
  )
  t.is(store.stats().journal.flushes - before, 1)
})

test('n durable commits one after another are n flushes', async (t) => {
  const store = await openStore(t, { durability: 'durable', flush: { intervalMs: 600_000 } })
  await store.state.put('warm', 1)
  const before = store.stats().journal.flushes
  for (let i = 0; i < 25; i++) await store.state.put('a', i)
  t.is(store.stats().journal.flushes - before, 25)
})

test('writes beyond the flush budget wait in order and lose nothing', async (t) => {
  const path = storePath(t)
  const store = await open(path, { flush: { bytes: 64 * 1024 }, durability: 'applied' })
  const value = 'x'.repeat(4000)
  const order: number[] = []
  const writes = Array.from({ length: 300 }, (_, i) =>
    (i % 3 === 0
      ? store.state.put(String(i), value)
      : i % 3 === 1
        ? store.append({ i, value })
        : store.transact((tx) => {
            tx.put(store.state, String(i), value)
          })
    ).then(({ seq }) => order.push(seq)),
  )
  await Promise.all(writes)
  t.deepEqual(
    order,
    Array.from({ length: 300 }, (_, i) => i + 1),
  )
  t.deepEqual([store.state.range().count(), store.events().count()], [200, 100])
  await store.close()
})

test('what waits for room can be given up, and is refused by closing', async (t) => {
  const store = await openStore(t, { flush: { bytes: 64 * 1024 } })
  const value = 'x'.repeat(40_000)
  const controller = new AbortController()
  let ran = 0
  const writes = Array.from({ length: 60 }, (_, i) =>
    store.transact(
      (tx) => {
        ran++
        tx.put(store.state, String(i), value)
      },
      i % 2 === 0 ? { signal: controller.signal } : {},
    ),
  )
  t.true(ran > 0 && ran < 60, `${ran} of 60 were let in at once`)
  t.is(getEventListeners(controller.signal, 'abort').length, 1)
  controller.abort('enough')
  t.is(getEventListeners(controller.signal, 'abort').length, 0)
  const closing = store.close()
  const outcomes = await Promise.allSettled(writes)
  await closing
  const kinds = outcomes.map((outcome) => (outcome.status === 'fulfilled' ? 'in' : outcome.reason === 'enough' ? 'given up' : (outcome.reason as { code: string }).code))
  t.deepEqual(
    kinds.slice(0, ran),
    Array.from({ length: ran }, () => 'in'),
  )
  t.deepEqual(
    kinds.slice(ran),
    Array.from({ length: 60 - ran }, (_, i) => ((i + ran) % 2 === 0 ? 'given up' : 'ERR_CLOSED')),
  )
})
