// Reading events: by id, by range, by time, by page; from a store that is being written to and from a snapshot.
import test from 'ava'
import { binary, json, utf8, type EventRange } from '../../src/index.ts'
import { codeOf, openStore } from '../support/store.ts'

const ids = (events: Iterable<{ id: number }>): number[] => [...events].map(({ id }) => id)
const upTo = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i)

test('an event comes back with its id and the time of its commit', async (t) => {
  const store = await openStore(t)
  const { timestamp } = await store.append([{ type: 'a' }, { type: 'b' }])
  t.deepEqual(
    [...store.events()],
    [
      { id: 1, timestamp, event: { type: 'a' } },
      { id: 2, timestamp, event: { type: 'b' } },
    ],
  )
  t.deepEqual(store.event(2), { id: 2, timestamp, event: { type: 'b' } })
  t.is(store.event(0), undefined)
  t.is(store.event(3), undefined)
  for (const wrong of [-1, 1.5, NaN, '1', undefined, null]) t.is(await codeOf(() => store.event(wrong as number)), 'ERR_INVALID_ARGUMENT')
})

test('an array is several events, unless it is one', async (t) => {
  const store = await openStore(t, { events: json<number[]>() })
  t.is((await store.append([[1], [2, 3]])).eventsWritten, 2)
  t.is((await store.appendAll([[4]])).eventsWritten, 1)
  t.deepEqual(
    [...store.events()].map(({ event }) => event),
    [[1], [2, 3], [4]],
  )
})

test('ranges of ids are exact', async (t) => {
  const store = await openStore(t)
  await store.append(upTo(1, 10))
  const cases: [EventRange, number[]][] = [
    [{}, upTo(1, 10)],
    [{ from: 0 }, upTo(1, 10)],
    [{ from: 4 }, upTo(4, 10)],
    [{ after: 0 }, upTo(1, 10)],
    [{ after: 4 }, upTo(5, 10)],
    [{ after: 10 }, []],
    [{ to: 4 }, upTo(1, 3)],
    [{ from: 3, to: 5 }, [3, 4]],
    [{ from: 5, to: 3 }, []],
    [{ to: 0 }, []],
    [{ from: 11 }, []],
    [{ from: 1000 }, []],
    [{ to: 1000 }, upTo(1, 10)],
    [{ limit: 3 }, [1, 2, 3]],
    [{ limit: 0 }, []],
    [{ limit: Infinity }, upTo(1, 10)],
    [{ from: 9, limit: 5 }, [9, 10]],
    [{ reverse: true }, upTo(1, 10).toReversed()],
    [{ reverse: true, limit: 3 }, [10, 9, 8]],
    [{ reverse: true, from: 3, to: 6, limit: 2 }, [5, 4]],
    [{ since: 0 }, upTo(1, 10)],
    [{ since: -5.5, limit: 2 }, [1, 2]],
    [{ since: Date.now() + 100_000 }, []],
  ]
  for (const [range, expected] of cases) {
    t.deepEqual(ids(store.events(range)), expected, JSON.stringify(range))
    t.is(store.events(range).count(), expected.length, JSON.stringify(range))
    t.deepEqual([...store.events(range).pages()].flatMap(ids), expected)
  }
})

test('what a range cannot say is an argument mistake', async (t) => {
  const store = await openStore(t)
  const wrong: Record<string, unknown>[] = [
    { from: 1, after: 1 },
    { from: -1 },
    { from: 1.5 },
    { from: '1' },
    { after: NaN },
    { to: -1 },
    { to: null },
    { since: 'now' },
    { since: NaN },
    { since: new Date() },
    { limit: -1 },
    { reverse: 1 },
    { until: 5 },
  ]
  for (const range of wrong) t.is(await codeOf(() => store.events(range as never)), 'ERR_INVALID_ARGUMENT', JSON.stringify(range))
})

test('since finds the first event at or after a time', async (t) => {
  const store = await openStore(t)
  const first = await store.append('a')
  let second = await store.append('b')
  while (second.timestamp === first.timestamp) {
    await new Promise((resolve) => setTimeout(resolve, 1))
    second = await store.append('b')
  }
  const last = second.lastEventId as number
  t.deepEqual(ids(store.events({ since: second.timestamp })), [last])
  t.deepEqual(ids(store.events({ since: first.timestamp + 0.5 })), [last])
  t.deepEqual(ids(store.events({ since: first.timestamp })), upTo(1, last))
  t.deepEqual(ids(store.events({ since: first.timestamp, from: 2, reverse: true, limit: 1 })), [last])
})

test('events are the same before and after a flush, on pages of every kind', async (t) => {
  const payloads = Array.from({ length: 3000 }, (_, i) => (i % 11 === 0 ? 'ü€'.repeat(i % 30) : 'e'.repeat((i * 37) % 300)))
  for (const events of [utf8(), json<string>()]) {
    const store = await openStore(t, { events })
    await store.appendAll(payloads.slice(0, 1500))
    await store.flush()
    await store.appendAll(payloads.slice(1500))
    for (let round = 0; round < 2; round++) {
      t.deepEqual(
        [...store.events()].map(({ event }) => event),
        payloads,
      )
      t.deepEqual(
        [...store.events({ reverse: true })].map(({ event }) => event),
        payloads.toReversed(),
      )
      t.deepEqual(
        [...store.events().pages()].flat().map(({ event }) => event),
        payloads,
      )
      t.deepEqual(
        [1, 1500, 1501, 3000].map((id) => store.event(id)?.event),
        [1, 1500, 1501, 3000].map((id) => payloads[id - 1]),
      )
      await store.flush()
    }
  }
})

test('bytes of events are handed out once', async (t) => {
  const store = await openStore(t, { events: binary() })
  const sizes = [0, 1, 100, 4096, 20_000, 70_000, 1_000_000, 5]
  await store.appendAll(sizes.map((size, i) => Buffer.alloc(size, i)))
  const kept = [...store.events()].map(({ event }) => event)
  void [...store.events({ reverse: true })]
  t.true(kept.every((event, i) => event.equals(Buffer.alloc(sizes[i] as number, i))))
  t.deepEqual(
    kept.map((event) => event.length),
    sizes,
  )
})

test('a reader is repeatable, and each iteration fixes its end when it starts', async (t) => {
  const store = await openStore(t)
  await store.append([1, 2, 3])
  const reader = store.events()
  const seen: number[] = []
  for (const { id } of reader) {
    seen.push(id)
    if (seen.length < 10) store.apply((tx) => tx.append('more'))
  }
  t.deepEqual(seen, [1, 2, 3])
  t.deepEqual(ids(reader), upTo(1, 6))
  t.is(reader.count(), 6)
})

test('a snapshot sees the events up to its point in time', async (t) => {
  const store = await openStore(t)
  await store.append(['a', 'b'])
  const snapshot = store.snapshot()
  await store.append(['c', 'd'])
  t.is(snapshot.nextEventId, 3)
  t.is(snapshot.seq, 1)
  t.is(store.nextEventId, 5)
  for (let round = 0; round < 2; round++) {
    t.deepEqual(ids(snapshot.events()), [1, 2])
    t.deepEqual(ids(snapshot.events({ from: 2, to: 100 })), [2])
    t.deepEqual(ids(snapshot.events({ reverse: true, limit: 1 })), [2])
    t.is(snapshot.events({ from: 3 }).count(), 0)
    t.is(snapshot.events({ since: 0 }).count(), 2)
    await store.flush()
  }
  const events = snapshot.events()
  snapshot.release()
  t.throws(() => [...events], { code: 'ERR_CLOSED' })
})

test('an event that cannot be decoded is a codec error without a collection', async (t) => {
  const path = (await openStore(t, { events: utf8() })).path
  const store = await openStore(
    t,
    {
      events: {
        name: 'utf8',
        encode: (text: string) => text,
        decode: () => {
          throw new Error('mine')
        },
      },
    },
    path,
  )
  await store.append('x')
  const error = t.throws(() => store.event(1), { code: 'ERR_CODEC' })
  t.is((error.cause as Error).message, 'mine')
  t.false('collection' in error)
})
