// Ranges: complete, exact and in order, whatever the bytes of the keys and however many pages it takes.
import test from 'ava'
import { binary, utf8, type KeyRange } from '../../src/index.ts'
import { codeOf, openStore } from '../support/store.ts'

type Bytes = KeyRange<Uint8Array>
const hex = (keys: Iterable<Uint8Array>): string[] => [...keys].map((key) => Buffer.from(key).toString('hex'))
const bytes = (...hexes: string[]): Buffer[] => hexes.map((text) => Buffer.from(text, 'hex'))

/** Keys that extend each other, end in 0xff, and consist of it: each was lost or doubled by some store. */
const KEYS = ['00', '0000', '00ff', '01', '61', '6100', '6161', '61ff', '61ff00', '61ffff', '62', 'fe', 'ff', 'ff00', 'ffff', 'ffffff']

test('keys come in the order of their bytes, both ways', async (t) => {
  const store = await openStore(t)
  const all = store.collection('all', { key: binary(), value: binary() })
  await store.transact((tx) => {
    for (const key of bytes(...KEYS).toReversed()) tx.put(all, key, Buffer.alloc(0))
  })
  t.deepEqual(hex(all.range().keys()), KEYS)
  t.deepEqual(hex(all.range({ reverse: true }).keys()), KEYS.toReversed())
  t.deepEqual(
    [...all.range().values()].map((value) => value.length),
    KEYS.map(() => 0),
  )
})

test('bounds, prefixes and limits are exact', async (t) => {
  const store = await openStore(t)
  const all = store.collection('all', { key: binary(), value: utf8() })
  await store.transact((tx) => {
    for (const key of bytes(...KEYS)) tx.put(all, key, key.toString('hex'))
  })
  const bounds = ['', ...KEYS, '60', '61fe', '7f', 'ffffffff'].map((text) => Buffer.from(text, 'hex'))
  const compare = (a: Uint8Array, b: Uint8Array): number => Buffer.compare(a, b)
  const expected = (range: Bytes): string[] => {
    const found = bytes(...KEYS).filter(
      (key) =>
        (range.gte === undefined || compare(key, range.gte) >= 0) &&
        (range.gt === undefined || compare(key, range.gt) > 0) &&
        (range.lt === undefined || compare(key, range.lt) < 0) &&
        (range.lte === undefined || compare(key, range.lte) <= 0) &&
        (range.prefix === undefined || key.subarray(0, range.prefix.length).equals(range.prefix)),
    )
    return hex(range.reverse === true ? found.toReversed() : found).slice(0, range.limit)
  }
  let checked = 0
  for (const lower of ['gte', 'gt', undefined] as const) {
    for (const upper of ['lt', 'lte', undefined] as const) {
      for (const first of lower === undefined ? [Buffer.alloc(0)] : bounds) {
        for (const last of upper === undefined ? [Buffer.alloc(0)] : bounds) {
          for (const prefix of [undefined, ...bytes('', '61', '61ff', 'ff', 'ffff', '33')]) {
            const range: Bytes = { prefix, reverse: checked % 2 === 1, limit: checked % 3 === 0 ? checked % 5 : undefined }
            if (lower !== undefined) range[lower] = first
            if (upper !== undefined) range[upper] = last
            const view = all.range(range)
            const keys = expected(range)
            if (checked++ % 7 === 0) t.is(view.count(), keys.length)
            const actual = hex(view.keys())
            if (actual.join() !== keys.join()) t.deepEqual(actual, keys, JSON.stringify(range))
          }
        }
      }
    }
  }
  t.true(checked > 5000)
})

test('a range is repeatable, and each iteration sees its own point in time', async (t) => {
  const store = await openStore(t)
  const range = store.state.range()
  t.deepEqual(range.toArray(), [])
  await store.state.put('a', 1)
  t.deepEqual(range.toArray(), [['a', 1]])
  t.is(range.count(), 1)
  const keys = range.keys()
  const values = range.values()
  t.deepEqual([[...keys], [...keys], [...values]], [['a'], ['a'], [1]])
  const iteration = range[Symbol.iterator]()
  t.deepEqual(iteration.next().value, ['a', 1])
  await store.state.put('b', 2)
  t.true(iteration.next().done)
  t.is(range.count(), 2)
})

test('an iteration over many pages sees one point in time while others write and flush', async (t) => {
  const store = await openStore(t)
  const n = 5000
  const key = (i: number): string => `key-${String(i).padStart(6, '0')}-${'x'.repeat(i % 50)}`
  await store.transact((tx) => {
    for (let i = 0; i < n; i++) tx.put(store.state, key(i), 'before')
  })
  const seen: string[] = []
  for (const [at, value] of store.state.range()) {
    t.is(value, 'before')
    seen.push(at)
    if (seen.length % 1000 !== 500) continue
    store.apply((tx) => {
      for (let i = 0; i < n; i += 3) tx.put(store.state, key(i), 'after')
      tx.deleteRange(store.state, { gte: key(4000) })
      tx.put(store.state, `key-${seen.length}-new`, 'new')
    })
    await store.flush()
  }
  t.deepEqual(
    seen,
    Array.from({ length: n }, (_, i) => key(i)),
  )
})

test('pages of text and pages of bytes give the same entries', async (t) => {
  const store = await openStore(t)
  const text = store.collection('text', { value: utf8() })
  const raw = store.collection('raw', { key: binary(), value: binary() })
  const entries = Array.from(
    { length: 3000 },
    (_, i) => [`${i % 7 === 0 ? 'ä' : 'a'}${String(i).padStart(5, '0')}`, i % 5 === 0 ? 'ü'.repeat(i % 40) : 'v'.repeat(i % 90)] as const,
  )
  await store.transact((tx) => {
    for (const [key, value] of entries) {
      tx.put(text, key, value)
      tx.put(raw, Buffer.from(key), Buffer.from(value))
    }
  })
  const sorted = entries.toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  t.deepEqual(
    text.range().toArray(),
    sorted.map(([key, value]) => [key, value]),
  )
  t.deepEqual(
    [...text.range().keys()],
    sorted.map(([key]) => key),
  )
  t.deepEqual(
    raw
      .range()
      .toArray()
      .map(([key, value]) => [key.toString(), value.toString()]),
    sorted.map(([key, value]) => [key, value]),
  )
  t.deepEqual(
    [...text.range({ reverse: true, limit: 700 }).values()],
    sorted
      .toReversed()
      .slice(0, 700)
      .map(([, value]) => value),
  )
})

test('an entry larger than a page is found like any other', async (t) => {
  const store = await openStore(t)
  const mixed = store.collection('mixed', { value: binary() })
  const sizes = [10, 5000, 0, 20_000, 70_000, 3, 1_000_000]
  await store.transact((tx) => sizes.forEach((size, i) => tx.put(mixed, `k${i}`, Buffer.alloc(size, i))))
  t.deepEqual(
    [...mixed.range().values()].map((value) => value.length),
    sizes,
  )
  t.deepEqual(
    mixed
      .range({ reverse: true })
      .toArray()
      .map(([key]) => key),
    sizes.map((_, i) => `k${i}`).toReversed(),
  )
  t.true([...mixed.range().values()].every((value, i) => value.equals(Buffer.alloc(sizes[i] as number, i))))
})

test('leaving a loop early releases what the range held', async (t) => {
  const store = await openStore(t)
  await store.transact((tx) => {
    for (let i = 0; i < 2000; i++) tx.put(store.state, String(i), 'x'.repeat(50))
  })
  await store.flush()
  for (const _ of store.state.range()) break
  for (const _ of store.state.range().keys()) break
  const pages = store.stats().readers
  t.deepEqual([pages.snapshots, pages.bytes], [0, 0])
  t.is(store.state.range().count(), 2000)
})

test('what a range cannot say is an argument mistake, at the call', async (t) => {
  const store = await openStore(t)
  const wrong: Record<string, unknown>[] = [
    { gte: 'a', gt: 'b' },
    { lt: 'a', lte: 'b' },
    { limit: -1 },
    { limit: 1.5 },
    { limit: NaN },
    { limit: '1' },
    { limit: null },
    { reverse: 1 },
    { start: 'a' },
    { gte: 1 },
    { prefix: 1 },
    { prefix: Buffer.from('a') },
    { prefix: null },
  ]
  const snapshot = store.snapshot()
  for (const range of wrong) {
    t.is(await codeOf(() => store.state.range(range as never)), 'ERR_INVALID_ARGUMENT', JSON.stringify(range))
    t.is(await codeOf(() => snapshot.range(store.state, range as never)), 'ERR_INVALID_ARGUMENT')
    t.is(await codeOf(() => store.apply((tx) => tx.range(store.state, range as never))), 'ERR_INVALID_ARGUMENT')
  }
  snapshot.release()
  t.is(await codeOf(() => store.state.range({ gte: '\ud800' })), 'ERR_CODEC')
  for (const range of [{ limit: 0 }, { limit: Infinity }, { gte: 'b', lt: 'a' }, { prefix: '' }, { lt: '' }, { gt: 'x'.repeat(5000) }, { gte: undefined, gt: 'a' }]) {
    t.deepEqual(store.state.range(range).toArray(), [])
  }
})

test('bounds are taken at the call', async (t) => {
  const store = await openStore(t)
  const all = store.collection('all', { key: binary() })
  await all.put(Buffer.from('b'), 1)
  const bound = Buffer.from('a')
  const range = all.range({ gte: bound })
  bound.fill('z')
  t.is(range.count(), 1)
})
