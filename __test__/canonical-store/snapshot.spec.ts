// Snapshots: one point in time, until they are released, by their user, their handle or the garbage collector.
import test from 'ava'
import { openStore } from '../support/store.ts'
import { runChild } from '../support/child.ts'

test('a snapshot does not change while others write and flush', async (t) => {
  const store = await openStore(t)
  await store.transact((tx) => {
    for (let i = 0; i < 1000; i++) tx.put(store.state, `k${i}`, 'before')
  })
  const snapshot = store.snapshot()
  await store.transact((tx) => {
    tx.deleteRange(store.state, { prefix: 'k1' })
    for (let i = 0; i < 500; i++) tx.put(store.state, `new${i}`, 'after')
  })
  for (let round = 0; round < 2; round++) {
    t.is(snapshot.get(store.state, 'k1'), 'before')
    t.false(snapshot.has(store.state, 'new1'))
    t.deepEqual(snapshot.getMany(store.state, ['k10', 'new1']), ['before', undefined])
    t.is(snapshot.range(store.state).count(), 1000)
    t.is([...snapshot.range(store.state).values()].filter((value) => value === 'before').length, 1000)
    await store.flush()
  }
  t.is(store.stats().readers.snapshots, 1)
  snapshot.release()
  t.is(store.stats().readers.snapshots, 0)
})

test('releasing twice is harmless, and its iterations end with it', async (t) => {
  const store = await openStore(t)
  await store.transact((tx) => {
    for (let i = 0; i < 3000; i++) tx.put(store.state, String(i), i)
  })
  const snapshot = store.snapshot()
  const range = snapshot.range(store.state)
  const iteration = range[Symbol.iterator]()
  iteration.next()
  snapshot.release()
  snapshot[Symbol.dispose]()
  t.throws(() => iteration.next(), { code: 'ERR_CLOSED' })
  t.throws(() => range.count(), { code: 'ERR_CLOSED' })
  t.throws(() => snapshot.get(store.state, '1'), { code: 'ERR_CLOSED' })
  t.is(store.state.get('1'), 1)
})

test('what is garbage-collected unreleased is released, with one warning per kind', async (t) => {
  const { code, stdout, stderr } = await runChild(new URL('forgetting.ts', import.meta.url), { nodeArgs: ['--expose-gc'] })
  t.is(code, 0, stderr)
  t.deepEqual(JSON.parse(stdout), { snapshots: 0, warnings: ['range', 'snapshot', 'store'] })
})
