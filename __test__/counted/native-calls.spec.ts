// What a call of the API costs in native calls. They are counted, not timed: each is a fixed price that no machine changes.
import test from 'ava'
import { binary, type CanonicalStore } from '../../src/index.ts'
import { openStore } from '../support/store.ts'
import { callsOf, callsUntil, coldCallsOf } from './calls.ts'

const PAGE_BYTES = 64 * 1024
const ENTRY_HEAD_BYTES = 8

function fill(store: CanonicalStore, count: number, valueBytes: number): void {
  const values = store.collection('values', { value: binary() })
  for (let n = 0; n < count; n += 1000) {
    store.apply((tx) => {
      for (let i = n; i < Math.min(n + 1000, count); i++) tx.put(values, `key ${String(i).padStart(8, '0')}`, Buffer.alloc(valueBytes, i))
    })
  }
}

test.serial('a read is one native call, found or missing', async (t) => {
  const store = await openStore(t)
  fill(store, 10, 100)
  store.apply((tx) => tx.put(store.state, 'a', { some: 'value' }))
  const values = store.collection('values', { value: binary() })
  for (const flushed of [false, true]) {
    if (flushed) await store.flush()
    const snapshot = store.snapshot()
    t.deepEqual(
      callsOf(() => store.state.get('a')),
      { get: 1 },
    )
    t.deepEqual(
      callsOf(() => store.get(store.state, 'missing')),
      { get: 1 },
    )
    t.deepEqual(
      callsOf(() => values.get('key 00000001')),
      { get: 1 },
    )
    t.deepEqual(
      callsOf(() => snapshot.get(values, 'key 00000001')),
      { get: 1 },
    )
    t.deepEqual(
      callsOf(() => store.state.has('a')),
      { has: 1 },
    )
    t.deepEqual(
      callsOf(() => values.getMany(Array.from({ length: 10 }, (_, i) => `key 0000000${i}`))),
      { getMany: 1 },
    )
    t.deepEqual(
      callsOf(() => store.state.get('')),
      {},
      'no such key can exist',
    )
    snapshot.release()
  }
})

test.serial('a blind commit is one native call', async (t) => {
  const store = await openStore(t)
  const applied = { durability: 'applied' } as const
  t.deepEqual(await callsUntil(() => store.state.put('a', 1, applied)), { commit: 1 })
  t.deepEqual(await callsUntil(() => store.append({ n: 1 }, applied)), { commit: 1 })
  t.deepEqual(await callsUntil(() => store.appendAll([1, 2, 3], applied)), { commit: 1 })
  t.deepEqual(
    callsOf(() =>
      store.apply((tx) => {
        for (let n = 0; n < 100; n++) tx.put(store.state, `k${n}`, n)
      }),
    ),
    { commit: 1 },
  )
  t.deepEqual(await callsUntil(() => store.transact((tx) => tx.put(store.state, 'a', 2), applied)), { commit: 1 })
  t.deepEqual(
    callsOf(() => {
      const tx = store.writeTxn()
      tx.put(store.state, 'a', 3)
      tx.commit()
    }),
    { commit: 1 },
  )
})

test.serial('a transaction that reads takes the gate once, and gives it back with the commit', async (t) => {
  const store = await openStore(t)
  store.apply((tx) => tx.put(store.state, 'a', 1))
  t.deepEqual(
    callsOf(() =>
      store.apply((tx) => {
        tx.put(store.state, 'b', tx.get(store.state, 'a') as number)
        tx.get(store.state, 'b') // its own write
        tx.append('event')
      }),
    ),
    { begin: 1, get: 1, commit: 1 },
  )
  t.deepEqual(
    callsOf(() => store.apply((tx) => tx.append('event'))),
    { begin: 1, commit: 1 },
    'the id is asked for',
  )
})

test.serial('a handle that nobody waits for costs nothing after its commit', async (t) => {
  const store = await openStore(t, { flush: { intervalMs: 3_600_000 } })
  await store.sync()
  const calls = await callsUntil(async () => {
    for (let n = 0; n < 100; n++) store.apply((tx) => tx.put(store.state, 'a', n))
    await new Promise((resolve) => setTimeout(resolve, 50))
  })
  t.deepEqual(calls, { commit: 100 })
})

for (const valueBytes of [0, 10, 300, 5000]) {
  test.serial(`a range of values of ${valueBytes} bytes is at most ceil(bytes / page) + 3 calls`, async (t) => {
    const store = await openStore(t)
    const count = valueBytes > 1000 ? 1000 : 20_000
    fill(store, count, valueBytes)
    const values = store.collection('values', { value: binary() })
    const entryBytes = ENTRY_HEAD_BYTES + 12 + valueBytes
    const most = Math.ceil((count * (entryBytes + (-entryBytes & 3))) / PAGE_BYTES) + 3
    for (const flushed of [false, true]) {
      if (flushed) await store.flush()
      let found = 0
      const calls = callsOf(() => {
        for (const _ of values.range()) found++
      })
      t.is(found, count)
      t.is(calls.rangeOpen, 1)
      const all = Object.values(calls).reduce((sum, n) => sum + n, 0)
      // An entry that does not fit into what is left of a page begins the next one.
      t.true(all <= most + Math.ceil((most * entryBytes) / PAGE_BYTES), `${all} calls, at most ${most}`)
    }
    t.deepEqual(
      callsOf(() => values.range().count()),
      { rangeOpen: 1 },
    )
    t.deepEqual(
      callsOf(() => [...values.range({ limit: 3 }).keys()]),
      { rangeOpen: 1, rangePage: 1 },
    )
  })
}

test.serial('events cross in pages too', async (t) => {
  const store = await openStore(t)
  const count = 20_000
  store.apply((tx) => tx.appendAll(Array.from({ length: count }, (_, n) => ({ n, text: 'some text' }))))
  for (const flushed of [false, true]) {
    if (flushed) await store.flush()
    let found = 0
    const calls = callsOf(() => {
      for (const _ of store.events()) found++
    })
    t.is(found, count)
    const most = Math.ceil((count * (16 + 40)) / PAGE_BYTES) + 3
    t.true((calls.eventsPage ?? 0) <= most && Object.keys(calls).length === 1, `${JSON.stringify(calls)}, at most ${most}`)
  }
})

test.serial('one event is one call, and a page that is left early is no more than it', async (t) => {
  const store = await openStore(t)
  store.apply((tx) => tx.appendAll(Array.from({ length: 20_000 }, (_, n) => ({ n, text: 'some text' }))))
  for (const flushed of [false, true]) {
    if (flushed) await store.flush()
    t.deepEqual(
      callsOf(() => t.is(store.event(12_345)?.id, 12_345)),
      { event: 1 },
    )
    t.deepEqual(
      callsOf(() => t.is(store.event(50_000), undefined)),
      { event: 1 },
    )
    t.deepEqual(
      callsOf(() => {
        for (const { id } of store.events({ from: 100 })) if (id === 110) break
      }),
      { eventsPage: 1 },
    )
    t.deepEqual(
      callsOf(() => t.is(store.events({ from: 100 }).count(), 19_901)),
      {},
    )
  }
})

test.serial('a range that is left early costs its first page', async (t) => {
  const store = await openStore(t)
  fill(store, 20_000, 100)
  const values = store.collection('values', { value: binary() })
  t.deepEqual(
    callsOf(() => {
      for (const _ of values.range()) break
    }),
    { rangeOpen: 1, rangePage: 1 },
  )
  t.deepEqual(
    callsOf(() => values.range()),
    {},
    'a range that nobody iterates',
  )
})

test.serial('the hot path asks for nothing beside its hot call', async (t) => {
  const store = await openStore(t)
  fill(store, 2_000, 100)
  const values = store.collection('values', { value: binary() })
  store.apply((tx) => tx.appendAll(Array.from({ length: 2_000 }, (_, n) => ({ n }))))
  await store.flush()
  const hot: Record<string, () => unknown> = {
    get: () => values.get('key 00000001'),
    has: () => values.has('key 00000001'),
    getMany: () => values.getMany(['key 00000001', 'key 00000002']),
    range: () => [...values.range()],
    event: () => store.event(1_000),
    apply: () => store.apply((tx) => tx.put(values, 'a', Buffer.alloc(100))),
    reads: () =>
      store.apply((tx) => {
        tx.put(values, 'a', Buffer.concat([tx.get(values, 'key 00000001') ?? Buffer.alloc(0)]))
      }),
    put: () => void values.put('a', Buffer.alloc(100), { durability: 'durable' }),
    append: () => void store.append({ n: 1 }, { durability: 'durable' }),
  }
  for (const [name, call] of Object.entries(hot)) t.deepEqual(coldCallsOf(call), {}, name)
  t.deepEqual(
    coldCallsOf(() => [...store.events({ from: 1 })]),
    { nextEventId: 1, oldestEventId: 1 },
    'an iteration, for its ends',
  )
})

test.serial('an awaited commit costs a commit and a wish, and when it is not flushed on this thread a wake and two looks', async (t) => {
  for (const inlineFlush of ['auto', 'never'] as const) {
    const store = await openStore(t, { flush: { intervalMs: 3_600_000 }, inlineFlush })
    await store.sync()
    const {
      commit,
      want,
      poll = 0,
      wakes = 0,
      ...others
    } = await callsUntil(async () => {
      for (let n = 0; n < 200; n++) await store.state.put('a', n, { durability: 'durable' })
    })
    t.deepEqual({ commit, want, others }, { commit: 200, want: 200, others: {} }, inlineFlush)
    // A look at the end of each turn that still waits, whatever was reached before the wish, and one at each wake.
    t.true(wakes <= 200 && poll <= wakes + 200, `${inlineFlush}: ${wakes} wakes, ${poll} looks`)
    await store.close() // a wake looks at every open store
  }
})
