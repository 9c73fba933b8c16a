// What a commit costs on the device, and what it costs to tell those who wait. Flushes and wakes are counted by the store and the binding.
import test from 'ava'
import type { CanonicalStore } from '../../src/index.ts'
import { openStore, storePath } from '../support/store.ts'
import { callsUntil, lmdbTransaction } from './calls.ts'

/** Nothing is flushed to LMDB on the way. */
const QUIET = { flush: { intervalMs: 3_600_000 } } as const

function journalFlushes(store: CanonicalStore): number {
  return store.stats().journal.flushes
}

for (const inlineFlush of ['auto', 'never'] as const) {
  test.serial(`n durable commits one after another are n flushes (inlineFlush: ${inlineFlush})`, async (t) => {
    const store = await openStore(t, { ...QUIET, inlineFlush })
    await store.sync()
    for (const n of [1, 10, 100]) {
      const before = journalFlushes(store)
      for (let i = 0; i < n; i++) await store.state.put('a', i, { durability: 'durable' })
      t.is(journalFlushes(store) - before, n)
    }
    const before = journalFlushes(store)
    await store.sync()
    await store.flush()
    t.is(journalFlushes(store) - before, 0, 'what is durable is not flushed again, not for the checkpoint either')
  })
}

test.serial('256 commits of one turn are one flush, one wish and at most one wake', async (t) => {
  const store = await openStore(t, { ...QUIET, inlineFlush: 'never' })
  const attempts: { flushes: number; wakes: number; want: number }[] = []
  for (let attempt = 0; attempt < 8; attempt++) {
    await store.sync()
    const before = journalFlushes(store)
    const calls = await callsUntil(() => Promise.all(Array.from({ length: 256 }, (_, n) => store.state.put(`k${n}`, n, { durability: 'durable' }))))
    t.is(calls.commit, 256)
    attempts.push({ flushes: journalFlushes(store) - before, wakes: calls.wakes ?? 0, want: calls.want ?? 0 })
  }
  // When this thread is held up for 10 ms in the middle, what it has applied by then is written first, as it should be: in a separate group.
  t.true(
    attempts.some(({ flushes, wakes, want }) => flushes === 1 && wakes <= 1 && want === 1),
    JSON.stringify(attempts),
  )
  t.true(
    attempts.every(({ flushes, wakes }) => flushes <= 2 && wakes <= 2),
    JSON.stringify(attempts),
  )
})

test.serial('an environment is woken at most once for each group, and for each flush of its own', async (t) => {
  const store = await openStore(t, { ...QUIET, inlineFlush: 'never' })
  await store.sync()
  const before = store.stats().journal
  const calls = await callsUntil(async () => {
    for (let turn = 0; turn < 50; turn++) await Promise.all(Array.from({ length: 100 }, (_, n) => store.state.put(`k${n}`, n, { durability: 'durable' })))
  })
  const { groups, flushes } = store.stats().journal
  // A turn is a group; a thread that is held up for 10 ms in the middle of one makes two of it.
  t.true(groups - before.groups >= 50 && groups - before.groups <= 60, `${groups - before.groups} groups for 50 turns`)
  t.is(flushes - before.flushes <= groups - before.groups, true)
  t.true((calls.wakes as number) <= groups - before.groups, `${calls.wakes} wakes for ${groups - before.groups} groups`)
  t.is(calls.want, 50)
  t.is(calls.commit, 5_000)
})

test.serial('whatever is written without waiting for the device is not flushed', async (t) => {
  const store = await openStore(t, QUIET)
  await store.sync()
  const before = journalFlushes(store)
  for (let n = 0; n < 200; n++) await store.state.put('a', n, { durability: n % 2 === 0 ? 'written' : 'applied' })
  t.is(journalFlushes(store) - before, 0)
  await store.sync()
  t.is(journalFlushes(store) - before, 1)
})

test.serial('only a flush writes to LMDB and to the event log: neither commits nor snapshots nor reads do', async (t) => {
  const path = storePath(t)
  const store = await openStore(t, QUIET, path)
  await store.state.put('a', 0)
  await store.flush()
  const transaction = lmdbTransaction(path)
  const { runs } = store.stats().flusher
  const { bytes } = store.stats().events
  for (let n = 0; n < 500; n++) {
    store.apply((tx) => {
      tx.put(store.state, `k${n}`, tx.get(store.state, 'a') ?? null)
      tx.append({ n })
    })
    if (n % 50 !== 0) continue
    await store.collection(`made ${n}`).put('a', n, { durability: 'durable' })
    const snapshot = store.snapshot()
    t.true(snapshot.range(store.state).count() > n)
    t.is([...snapshot.events()].length, n + 1)
    snapshot.release()
  }
  await store.sync()
  t.is(lmdbTransaction(path), transaction)
  t.deepEqual([store.stats().flusher.runs, store.stats().events.bytes], [runs, bytes])
  await store.flush()
  t.is(lmdbTransaction(path), transaction + 1, 'and a small flush is one transaction')
  t.is(store.stats().flusher.runs, runs + 1)
  t.true(store.stats().events.bytes > bytes)
})

test.serial('a flush of nothing writes nothing', async (t) => {
  const path = storePath(t)
  const store = await openStore(t, QUIET, path)
  await store.state.put('a', 0)
  await store.flush()
  const before = [lmdbTransaction(path), store.stats().flusher.runs, journalFlushes(store)]
  await store.flush()
  await store.transact(() => {}, { durability: 'durable' })
  t.deepEqual([lmdbTransaction(path), store.stats().flusher.runs, journalFlushes(store)], before)
})
