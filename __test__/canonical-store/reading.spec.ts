// get, getMany, has: the same answers from a store, a snapshot and a transaction.
import test from 'ava'
import { binary, json, utf8, type Codec, type KeyCodec, type Reader } from '../../src/index.ts'
import { codeOf, openStore } from '../support/store.ts'

/** Calls `check` with each kind of reader. */
async function withReaders(
  t: Parameters<typeof openStore>[0],
  fill: (store: Awaited<ReturnType<typeof openStore>>) => Promise<unknown>,
  check: (reader: Reader, store: Awaited<ReturnType<typeof openStore>>) => void,
): Promise<void> {
  const store = await openStore(t)
  await fill(store)
  check(store, store)
  const snapshot = store.snapshot()
  check(snapshot, store)
  snapshot.release()
  store.apply((tx) => check(tx, store))
}

test('what is missing is undefined, and so is a key that cannot exist', async (t) => {
  await withReaders(
    t,
    (store) => store.state.put('there', null),
    (reader, store) => {
      t.is(reader.get(store.state, 'there'), null)
      t.true(reader.has(store.state, 'there'))
      for (const key of ['', 'x'.repeat(1025), 'x'.repeat(100_000), '€'.repeat(342), 'not']) {
        t.is(reader.get(store.state, key), undefined)
        t.false(reader.has(store.state, key))
      }
      t.deepEqual(reader.getMany(store.state, ['', 'there', 'x'.repeat(2000), 'not', 'there']), [undefined, null, undefined, undefined, null])
      t.deepEqual(reader.getMany(store.state, []), [])
    },
  )
})

test('a key of the wrong type is an argument mistake, one with a lone surrogate a codec error', async (t) => {
  await withReaders(
    t,
    (store) => store.state.put('\ufffd', 'replacement'),
    (reader, store) => {
      const bytes = store.collection('bytes', { key: binary() })
      for (const call of ['get', 'has'] as const) {
        t.throws(() => reader[call](store.state, 1 as never), { code: 'ERR_INVALID_ARGUMENT' })
        t.throws(() => reader[call](store.state, undefined as never), { code: 'ERR_INVALID_ARGUMENT' })
        t.throws(() => reader[call](bytes, 'text' as never), { code: 'ERR_INVALID_ARGUMENT' })
        const error = t.throws(() => reader[call](store.state, '\ud800'), { code: 'ERR_CODEC' })
        t.like(error, { codec: 'utf8', collection: 'state', name: 'CodecError' })
      }
      t.throws(() => reader.getMany(store.state, 'ab' as never), { code: 'ERR_INVALID_ARGUMENT' })
      t.throws(() => reader.getMany(store.state, ['a', 1 as never]), { code: 'ERR_INVALID_ARGUMENT' })
    },
  )
})

test('what is no collection of this store is an argument mistake', async (t) => {
  const other = await openStore(t)
  await withReaders(
    t,
    () => Promise.resolve(),
    (reader) => {
      for (const wrong of [other.state, {}, null, 'state', undefined]) {
        t.throws(() => reader.get(wrong as never, 'a'), { code: 'ERR_INVALID_ARGUMENT' })
        t.throws(() => reader.has(wrong as never, 'a'), { code: 'ERR_INVALID_ARGUMENT' })
        t.throws(() => reader.getMany(wrong as never, ['a'] as never), { code: 'ERR_INVALID_ARGUMENT' })
        t.throws(() => reader.range(wrong as never), { code: 'ERR_INVALID_ARGUMENT' })
      }
    },
  )
})

test('a collection of another handle of the same store is as good', async (t) => {
  const first = await openStore(t)
  const second = await openStore(t, {}, first.path)
  const theirs = second.collection('c', { key: binary(), value: utf8() })
  await theirs.put(Buffer.from('k'), 'v')
  t.is(first.get(theirs, Buffer.from('k')), 'v')
  t.is(first.apply((tx) => tx.get(theirs, Buffer.from('k'))).result, 'v')
  const snapshot = first.snapshot()
  t.deepEqual(snapshot.getMany(theirs, [Buffer.from('k')]), ['v'])
  t.deepEqual([...first.range(theirs).values()], ['v'])
  snapshot.release()
})

test('bytes and text of every size come back as they were', async (t) => {
  const sizes = [0, 1, 7, 8, 100, 4095, 4096, 4097, 65_535, 65_536, 65_537, 300_000]
  await withReaders(
    t,
    (store) =>
      store.transact((tx) => {
        for (const size of sizes) {
          tx.put(store.collection('bytes', { value: binary() }), String(size), Buffer.alloc(size, size & 0xff))
          tx.put(store.collection('text', { value: utf8() }), String(size), '€'.repeat(size / 3))
        }
      }),
    (reader, store) => {
      const bytes = store.collection('bytes', { value: binary() })
      const text = store.collection('text', { value: utf8() })
      for (const size of sizes) {
        const value = reader.get(bytes, String(size))
        t.true(value instanceof Buffer && value.equals(Buffer.alloc(size, size & 0xff)), String(size))
        t.is(reader.get(text, String(size)), '€'.repeat(size / 3))
      }
      const many = reader.getMany(bytes, sizes.map(String))
      t.deepEqual(
        many.map((value) => value?.length),
        sizes,
      )
      t.true(many.every((value, i) => value?.equals(Buffer.alloc(sizes[i] as number, (sizes[i] as number) & 0xff))))
      t.deepEqual(
        reader.getMany(text, sizes.map(String)).map((value) => value?.length),
        sizes.map((size) => Math.floor(size / 3)),
      )
    },
  )
})

test('bytes that were handed out are never written again', async (t) => {
  const store = await openStore(t)
  const bytes = store.collection('bytes', { value: binary() })
  await store.transact((tx) => {
    for (let i = 0; i < 500; i++) tx.put(bytes, `k${String(i).padStart(3, '0')}`, Buffer.alloc(300, i & 0xff))
  })
  const keys = Array.from({ length: 500 }, (_, i) => `k${String(i).padStart(3, '0')}`)
  const kept = [
    keys.map((key) => bytes.get(key)),
    bytes.getMany(keys),
    [...bytes.range().values()],
    bytes
      .range()
      .toArray()
      .map(([, value]) => value),
  ]
  for (let round = 0; round < 3; round++) {
    void [keys.map((key) => bytes.get(key)), bytes.getMany(keys), bytes.range().toArray()]
    await bytes.put('other', Buffer.alloc(3000, 0x7e))
    bytes.get('other')
  }
  for (const values of kept) t.true(values.every((value, i) => value?.equals(Buffer.alloc(300, i & 0xff))))
})

test('memory that values are handed out in stays when it is transferred', async (t) => {
  const store = await openStore(t)
  const bytes = store.collection('bytes', { value: binary() })
  await bytes.put('a', Buffer.from('abc'))
  const value = bytes.get('a') as Buffer
  try {
    structuredClone(value, { transfer: [value.buffer as ArrayBuffer] })
  } catch (error) {
    t.is((error as Error).name, 'DataCloneError') // from Node 21 on; before it is copied
  }
  t.is(value.toString(), 'abc')
  t.is(bytes.get('a')?.toString(), 'abc')
})

test('bytes that come in are copied at the call', async (t) => {
  const store = await openStore(t)
  const bytes = store.collection('bytes', { key: binary(), value: binary() })
  const key = Buffer.from('key')
  const value = Buffer.from('value')
  const put = bytes.put(key, value)
  key.fill(0)
  value.fill(0)
  await put
  t.is(bytes.get(Buffer.from('key'))?.toString(), 'value')
})

test('a value in the thousands is read at one point in time', async (t) => {
  const store = await openStore(t)
  const keys = Array.from({ length: 2000 }, (_, i) => String(i))
  await store.transact((tx) => {
    for (const key of keys) tx.put(store.state, key, 'x'.repeat(1000))
  })
  t.deepEqual(
    store.state.getMany(keys).map((value) => (value as string).length),
    keys.map(() => 1000),
  )
  t.is(store.stats().readers.snapshots, 0)
})

test('custom codecs get bytes of their own, and what they throw is the cause', async (t) => {
  const seen: Buffer[] = []
  const reversed: Codec<string> = {
    name: 'reversed',
    encode: (text) => Buffer.from(text).toReversed(),
    decode(bytes) {
      seen.push(bytes)
      if (bytes.length === 0) throw new RangeError('empty')
      return Buffer.from(bytes.toReversed()).toString()
    },
  }
  const upper: KeyCodec<string> = { name: 'upper', ordered: true, encode: (key) => key.toUpperCase(), decode: (bytes) => bytes.toString().toLowerCase() }
  const store = await openStore(t)
  const words = store.collection('words', { key: upper, value: reversed })
  await words.put('abc', 'one')
  await words.put('none', '')
  t.is(words.get('ABC'), 'one')
  t.is(seen[0]?.toString(), 'eno')
  t.deepEqual([...words.range().keys()], ['abc', 'none'])
  const error = t.throws(() => words.get('none'), { code: 'ERR_CODEC' })
  t.true(error.cause instanceof RangeError)
  t.like(error, { codec: 'reversed', collection: 'words' })
  t.is(await codeOf(() => words.range({ prefix: 'a' })), 'ERR_INVALID_ARGUMENT', 'without encodePrefix there are no prefixes')
})

test('a codec that gives undefined has failed', async (t) => {
  const store = await openStore(t)
  const broken = store.collection('broken', { value: { name: 'broken', encode: () => 'x', decode: () => undefined as never } })
  await broken.put('a', 1 as never)
  t.throws(() => broken.get('a'), { code: 'ERR_CODEC' })
  const mute = store.collection('mute', { value: { name: 'mute', encode: () => 1 as never, decode: () => 1 } })
  await t.throwsAsync(mute.put('a', 1), { code: 'ERR_CODEC' })
})

test('the same name and codecs are the same collection', async (t) => {
  const store = await openStore(t)
  t.is(store.collection('a'), store.collection('a', { key: utf8(), value: json() }))
  t.is(store.collection('state'), store.state)
  t.is(store.collection('a').name, 'a')
  t.deepEqual(store.collections(), ['state'], 'making one stores nothing')
})

test('other codecs than the stored ones are refused', async (t) => {
  const store = await openStore(t)
  const early = store.collection('a', { value: binary() })
  await store.collection('a').put('k', 1)
  const error = t.throws(() => store.collection('a', { value: utf8() }), { code: 'ERR_CODEC_MISMATCH' })
  t.is((error as { collection?: string }).collection, 'a')
  t.throws(() => store.collection('state', { key: binary() }), { code: 'ERR_CODEC_MISMATCH' })
  await t.throwsAsync(early.put('k', Buffer.alloc(1)), { code: 'ERR_CODEC_MISMATCH' })
  t.is(store.collection('a').get('k'), 1)
})

test('what makes a collection is checked', async (t) => {
  const store = await openStore(t)
  for (const name of ['', 1, null, 'x'.repeat(256), '\ud800']) t.throws(() => store.collection(name as string), { code: 'ERR_INVALID_ARGUMENT' }, String(name))
  t.throws(() => store.collection('a', { key: json() as never }), { code: 'ERR_INVALID_ARGUMENT' }, 'json does not keep an order')
  t.throws(() => store.collection('a', { value: {} as never }), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(() => store.collection('a', { keys: utf8() } as never), { code: 'ERR_INVALID_ARGUMENT' })
})

test('a dropped collection is gone, and can be made again with other codecs', async (t) => {
  const store = await openStore(t)
  const old = store.collection('a', { value: binary() })
  await old.put('k', Buffer.from('v'))
  const snapshot = store.snapshot()
  const before = await store.state.put('s', 1)
  t.is((await store.dropCollection('a')).seq, before.seq + 1)
  t.deepEqual(store.collections(), ['state'])
  t.is(old.get('k'), undefined)
  t.is(snapshot.get(old, 'k')?.toString(), 'v')
  await store.collection('a', { value: utf8() }).put('k', 'text')
  t.is(store.collection('a', { value: utf8() }).get('k'), 'text')
  snapshot.release()
})

test('only what is there and not state can be dropped', async (t) => {
  const store = await openStore(t)
  const error = await t.throwsAsync(store.dropCollection('nothing'), { code: 'ERR_NOT_FOUND' })
  t.is((error as { name: string }).name, 'nothing')
  for (const name of ['state', '', 1]) t.is(await codeOf(() => store.dropCollection(name as string)), 'ERR_INVALID_ARGUMENT')
})

test('a key that reads while its length is asked for disturbs no read', async (t) => {
  const store = await openStore(t)
  const values = store.collection('values', { key: binary(), value: binary() })
  const bytes = [1, 2].map((n) => Buffer.alloc(n, n))
  store.apply((tx) => bytes.forEach((byte) => tx.put(values, byte, byte)))
  class Reading extends Uint8Array {
    override get length(): number {
      t.is(values.get(bytes[1] as Buffer)?.length, 2)
      return super.length
    }
  }
  t.deepEqual(values.get(new Reading(bytes[0] as Buffer)), bytes[0])
  t.true(values.has(new Reading(bytes[1] as Buffer)))
  t.false(values.has(new Reading(3)))
})
