// What costs carry over to any machine: how often native code is called. One test at a time, since the counters are the environment's.
import test from 'ava'
import type { ColdCalls, HotCalls } from '../../src/native/binding.ts'
import { Environment } from '../../src/native/environment.ts'
import { binary, utf8 } from '../../src/index.ts'
import { openStore } from '../support/store.ts'
import { turn } from '../support/turns.ts'

type Counts = Record<keyof HotCalls | 'wakes', number>

/** The hot calls that `work` makes, without those it does not make. */
async function calls(work: () => unknown): Promise<Partial<Counts>> {
  const cold = Environment.current().cold as ColdCalls & { counters(): Counts }
  const before = cold.counters()
  await work()
  const after = cold.counters()
  return Object.fromEntries(
    Object.entries(after)
      .map(([name, count]) => [name, count - before[name as keyof Counts]])
      .filter(([, count]) => count !== 0),
  )
}

const times = (n: number, work: (i: number) => unknown): void => {
  for (let i = 0; i < n; i++) work(i)
}

test.serial('a read of a value is one call', async (t) => {
  const store = await openStore(t)
  const raw = store.collection('raw', { key: binary(), value: binary() })
  await store.transact((tx) =>
    times(100, (i) => {
      tx.put(raw, Buffer.from([i]), Buffer.alloc(100))
      tx.put(store.state, String(i), { i })
    }),
  )
  t.deepEqual(await calls(() => times(100, (i) => raw.get(Buffer.from([i])))), { get: 100 })
  t.deepEqual(await calls(() => times(100, (i) => store.state.get(String(i)))), { get: 100 })
  t.deepEqual(await calls(() => times(100, (i) => store.state.has(String(i + 50)))), { has: 100 })
  t.deepEqual(await calls(() => store.state.getMany(Array.from({ length: 100 }, (_, i) => String(i)))), { getMany: 1 })
  t.deepEqual(await calls(() => times(10, () => store.state.get(''))), {}, 'a key that cannot exist needs none')
})

test.serial('a commit that reads nothing is one call, whatever it writes', async (t) => {
  const store = await openStore(t)
  t.deepEqual(await calls(() => store.apply((tx) => times(1000, (i) => tx.put(store.state, String(i), i)))), { commit: 1 })
  t.deepEqual(await calls(() => store.state.put('a', 1)), { commit: 1 })
  t.deepEqual(await calls(() => store.append(['a', 'b'])), { commit: 1 })
  t.deepEqual(
    await calls(() =>
      store.transact(
        (tx) => {
          tx.put(store.state, 'a', 1)
        },
        { durability: 'applied' },
      ),
    ),
    { commit: 1 },
  )
})

test.serial('the gate is taken once, at the first read or the first id', async (t) => {
  const store = await openStore(t)
  t.deepEqual(await calls(() => store.apply((tx) => tx.append('e'))), { begin: 1, commit: 1 })
  t.deepEqual(await calls(() => store.apply((tx) => times(10, () => tx.append('e')))), { begin: 1, commit: 1 })
  t.deepEqual(
    await calls(() =>
      store.apply((tx) => {
        tx.put(store.state, 'a', 1)
        tx.get(store.state, 'a')
        tx.get(store.state, 'b')
      }),
    ),
    { begin: 1, get: 1, commit: 1 },
    'own writes are read without a call',
  )
  t.deepEqual(
    await calls(() => {
      try {
        store.apply((tx) => {
          tx.get(store.state, 'a')
          throw new Error('no')
        })
      } catch {}
    }),
    { begin: 1, get: 1, abort: 1 },
  )
  t.deepEqual(
    await calls(() => {
      try {
        store.apply(() => {
          throw new Error('no')
        })
      } catch {}
    }),
    {},
  )
})

test.serial('a turn says once what it waits for, and is woken once for a group', async (t) => {
  const store = await openStore(t, { flush: { intervalMs: 3_600_000 } }) // a flush wakes too
  await store.state.put('warm', 1, { durability: 'durable' })
  await store.sync() // a wake that was counted before has come
  await turn()
  const { groups } = store.stats().journal
  const {
    commit,
    want,
    wakes = 0,
    poll = 0,
    ...others
  } = await calls(() => Promise.all(Array.from({ length: 256 }, (_, i) => store.state.put(String(i), i, { durability: 'durable' }))))
  t.deepEqual([commit, want, others], [256, 1, {}])
  t.true(wakes <= store.stats().journal.groups - groups, `${wakes} wakes`)
  t.true(poll <= 1 + wakes, `${poll} polls, ${wakes} wakes`)
})

test.serial('a lone durable commit is one call to apply it and one to wait, and a look when it was woken', async (t) => {
  const store = await openStore(t, { flush: { intervalMs: 3_600_000 } })
  await store.sync()
  const {
    commit,
    want,
    wakes = 0,
    poll = 0,
    ...others
  } = await calls(async () => {
    for (let i = 0; i < 10; i++) await store.state.put('a', i, { durability: 'durable' })
  })
  t.deepEqual([commit, want, others], [10, 10, {}])
  t.true(poll <= 10 + wakes, 'and one where the flush was left to the journal')
})

test.serial('ranges and events cross as pages', async (t) => {
  const store = await openStore(t, { events: utf8() })
  const n = 10_000
  await store.transact((tx) => times(n, (i) => tx.put(store.state, `key-${String(i).padStart(6, '0')}`, 'v'.repeat(80))))
  await store.appendAll(Array.from({ length: n }, () => 'e'.repeat(84)))
  const entry = 8 + 12 + 84
  const { rangeOpen, rangePage = 0, ...others } = await calls(() => store.state.range().toArray())
  t.deepEqual([rangeOpen, others], [1, {}])
  t.true(rangePage <= Math.ceil((n * entry) / 65_536) + 3, `${rangePage} pages`)
  const { eventsPage = 0, ...rest } = await calls(() => [...store.events()])
  t.deepEqual(rest, {})
  t.true(eventsPage <= Math.ceil((n * 104) / 65_536) + 3, `${eventsPage} pages`)
  t.deepEqual(await calls(() => store.state.range({ limit: 5 }).toArray()), { rangeOpen: 1, rangePage: 1 })
  t.deepEqual(await calls(() => store.state.range().count()), { rangeOpen: 1 })
  t.deepEqual(await calls(() => store.event(5000)), { event: 1 })
  t.deepEqual(await calls(() => store.state.range({ gte: 'b', lt: 'a' }).toArray()), {})
})
