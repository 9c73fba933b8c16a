// Opening and closing: arguments, handles, the end of everything that a handle gave.
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { binary, json, open, utf8 } from '../../src/index.ts'
import { codeOf, openStore, storePath } from '../support/store.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

test('a store that is not there is made, with the folders above it', async (t) => {
  const path = join(temporaryFolder(t), 'a', 'b')
  const store = await openStore(t, {}, path)
  t.is(store.path, path)
  t.deepEqual(store.collections(), ['state'])
  t.is(store.nextEventId, 1)
  t.is(store.oldestEventId, 1)
  t.is(store.failure, undefined)
  const meta = store.meta()
  t.deepEqual(Object.keys(meta).toSorted(), ['createdAt', 'formatVersion', 'nextEventId', 'storeId', 'updatedAt'])
  t.regex(meta.storeId, /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/)
})

test('a path is a string or a file: URL', async (t) => {
  const path = storePath(t)
  mkdirSync(dirname(path), { recursive: true })
  const store = await open(pathToFileURL(path))
  t.is(store.path, path)
  await store.close()
  for (const wrong of ['', 'a\0b', undefined, 1, new URL('http://x/y')]) t.is(await codeOf(() => open(wrong as string)), 'ERR_INVALID_ARGUMENT')
})

test('create: false refuses to make a store', async (t) => {
  const path = storePath(t)
  await t.throwsAsync(open(path, { create: false }), { code: 'ERR_NOT_FOUND' })
  await (await open(path)).close()
  await (await open(path, { create: false })).close()
  t.pass()
})

test('options are checked before anything happens', async (t) => {
  const path = storePath(t)
  const wrong: Record<string, unknown>[] = [
    { durabilty: 'written' },
    { durability: 'flushed' },
    { durability: 1 },
    { create: 1 },
    { events: {} },
    { events: { name: '', encode() {}, decode() {} } },
    { limits: 1 },
    { limits: { keyBytes: 0 } },
    { limits: { keyBytes: 1.5 } },
    { limits: { size: 1 } },
    { flush: { bytes: 65_535 } },
    { flush: { intervalMs: 0 } },
    { flush: { ms: 1 } },
    { inlineFlush: true },
    { mapSizeBytes: -1 },
    { segmentBytes: 1000 },
    { signal: {} },
    { stripes: 1000 },
    { retention: 5 },
    { journal: {} },
    { schemaVersion: 1 },
    { migrations: {} },
    { eventCompression: 'gzip' },
    { readers: { warnAfterMs: 0 } },
    { allowNetworkFileSystem: 1 },
  ]
  for (const options of wrong) t.is(await codeOf(() => open(path, options as never)), 'ERR_INVALID_ARGUMENT', JSON.stringify(options))
  t.is(await codeOf(() => open(path, [] as never)), 'ERR_INVALID_ARGUMENT')
  t.is(await codeOf(() => open(path, { create: false })), 'ERR_NOT_FOUND')
})

test('an option that is undefined was left out', async (t) => {
  const store = await openStore(t, { events: undefined, durability: undefined, create: undefined, limits: { keyBytes: undefined }, flush: undefined, signal: undefined })
  t.is((await store.state.put('a', 1)).seq, 1)
})

test('an aborted signal rejects with its reason and opens nothing', async (t) => {
  const path = storePath(t)
  const reason = new Error('never mind')
  await t.throwsAsync(open(path, { signal: AbortSignal.abort(reason) }), { is: reason })
  t.is(await codeOf(() => open(path, { create: false })), 'ERR_NOT_FOUND')
})

test('a signal that aborts while the store opens leaves no handle behind', async (t) => {
  const path = storePath(t)
  const controller = new AbortController()
  const opening = open(path, { signal: controller.signal })
  controller.abort('stop')
  t.is(await opening.catch((error: unknown) => error), 'stop')
  // Closed in the background, the store can be opened with other options; a handle left behind would contradict.
  let code: unknown = 'untried'
  for (let tries = 0; code !== undefined && tries < 1000; tries++) code = await codeOf(async () => (await open(path, { limits: { keyBytes: 77 + tries } })).close())
  t.is(code, undefined)
})

test('what was written is there after reopening', async (t) => {
  const path = storePath(t)
  const store = await open(path)
  await store.transact((tx) => {
    tx.put(store.state, 'a', { deep: [1, 'zwei'] })
    tx.append('first')
  })
  const { storeId } = store.meta()
  await store.close()
  const again = await openStore(t, {}, path)
  t.is(again.meta().storeId, storeId)
  t.deepEqual(again.state.get('a'), { deep: [1, 'zwei'] })
  t.is(again.event(1)?.event, 'first')
})

test('two handles are one store, and it closes with the last', async (t) => {
  const path = storePath(t)
  const first = await openStore(t, {}, path)
  const second = await openStore(t, { durability: 'durable' }, path)
  await first.state.put('a', 1)
  t.is(second.state.get('a'), 1)
  await first.close()
  t.is(await codeOf(() => first.state.get('a')), 'ERR_CLOSED')
  await second.state.put('b', 2)
  t.deepEqual(second.state.range().toArray(), [
    ['a', 1],
    ['b', 2],
  ])
})

test('a second handle that contradicts the first is refused', async (t) => {
  const path = storePath(t)
  await openStore(t, { limits: { keyBytes: 100 }, segmentBytes: 1 << 20 }, path)
  await t.throwsAsync(open(path, { limits: { keyBytes: 101 } }), { code: 'ERR_OPTIONS_MISMATCH' })
  await t.throwsAsync(open(path, { segmentBytes: 1 << 21 }), { code: 'ERR_OPTIONS_MISMATCH' })
  await t.throwsAsync(open(path, { events: binary() }), { code: 'ERR_OPTIONS_MISMATCH' })
  const agreeing = await openStore(t, { limits: { keyBytes: 100 } }, path)
  await t.throwsAsync(agreeing.state.put('x'.repeat(101), 1), { code: 'ERR_LIMIT' })
})

test('a second handle knows the limits that the first has set', async (t) => {
  const path = storePath(t)
  await openStore(t, { limits: { keyBytes: 8 } }, path)
  const second = await openStore(t, {}, path)
  const caught = second.apply((tx) => {
    t.throws(() => tx.put(second.state, '123456789', 1), { code: 'ERR_LIMIT' })
    tx.put(second.state, '12345678', 1)
  })
  t.is(caught.commit.keysWritten, 1)
})

test('events have one codec', async (t) => {
  const path = storePath(t)
  const store = await open(path, { events: utf8() })
  await store.append('text')
  await t.throwsAsync(open(path), { code: 'ERR_CODEC_MISMATCH' }, 'in the same process too')
  await store.close()
  await t.throwsAsync(open(path), { code: 'ERR_CODEC_MISMATCH' })
  await t.throwsAsync(open(path, { events: binary() }), { code: 'ERR_CODEC_MISMATCH' })
  t.is((await openStore(t, { events: utf8() }, path)).event(1)?.event, 'text')
})

test('closing twice is harmless, and disposing is closing', async (t) => {
  const path = storePath(t)
  const store = await open(path)
  t.is(store.close(), store.close())
  await store.close()
  await store[Symbol.asyncDispose]()
  const again = await open(path)
  await again[Symbol.asyncDispose]()
  t.is(await codeOf(() => again.nextEventId), 'ERR_CLOSED')
})

test('everything is ERR_CLOSED after the end, getters included', async (t) => {
  const store = await openStore(t)
  const other = store.collection('other', { value: json() })
  await store.append('e')
  const snapshot = store.snapshot()
  const range = store.state.range()
  const events = store.events()
  await store.close()
  const calls: Record<string, () => unknown> = {
    get: () => store.get(other, 'a'),
    getMany: () => store.getMany(other, ['a']),
    has: () => store.has(other, 'a'),
    range: () => store.range(other),
    'collection.get': () => other.get('a'),
    'collection.getMany': () => other.getMany(['a']),
    'collection.has': () => other.has('a'),
    'collection.range': () => other.range(),
    'collection.put': () => other.put('a', 1),
    'collection.delete': () => other.delete('a'),
    iterate: () => [...range],
    count: () => range.count(),
    toArray: () => range.toArray(),
    nextEventId: () => store.nextEventId,
    oldestEventId: () => store.oldestEventId,
    failure: () => store.failure,
    collection: () => store.collection('x'),
    collections: () => store.collections(),
    dropCollection: () => store.dropCollection('x'),
    snapshot: () => store.snapshot(),
    apply: () => store.apply(() => {}),
    transact: () => store.transact(() => {}),
    writeTxn: () => store.writeTxn(),
    append: () => store.append('x'),
    appendAll: () => store.appendAll(['x']),
    events: () => store.events(),
    'iterate events': () => [...events],
    'count events': () => events.count(),
    pages: () => [...events.pages()],
    event: () => store.event(1),
    meta: () => store.meta(),
    stats: () => store.stats(),
    sync: () => store.sync(),
    flush: () => store.flush(),
    'snapshot.seq': () => snapshot.seq,
    'snapshot.nextEventId': () => snapshot.nextEventId,
    'snapshot.get': () => snapshot.get(other, 'a'),
    'snapshot.events': () => snapshot.events(),
  }
  for (const [name, call] of Object.entries(calls)) t.is(await codeOf(call), 'ERR_CLOSED', name)
  t.notThrows(() => snapshot.release())
})

test('iterators throw at their next step when the store closes', async (t) => {
  const store = await openStore(t)
  await store.transact((tx) => {
    for (let i = 0; i < 10; i++) {
      tx.put(store.state, String(i), i)
      tx.append(i)
    }
  })
  const entries = store.state.range()[Symbol.iterator]()
  const events = store.events()[Symbol.iterator]()
  const pages = store.events().pages()[Symbol.iterator]()
  t.is(entries.next().done, false)
  t.is(events.next().done, false)
  t.is(pages.next().done, false)
  await store.close()
  for (const cut of [entries, events, pages]) t.throws(() => cut.next(), { code: 'ERR_CLOSED' })
})

test('what was waited for before closing is settled by it', async (t) => {
  const store = await openStore(t, { durability: 'durable' })
  const waiting = Array.from({ length: 100 }, (_, i) => store.state.put(String(i), i))
  const handle = store.apply((tx) => tx.put(store.state, 'late', 1))
  const flushed = store.flush()
  await store.close()
  const seqs = (await Promise.all(waiting)).map(({ seq }) => seq)
  t.deepEqual(
    seqs,
    Array.from({ length: 100 }, (_, i) => i + 1),
  )
  await flushed
  t.is((await handle.wait('durable')).seq, 101)
})

test('a store closed inside its transaction takes the transaction along', async (t) => {
  const path = storePath(t)
  const store = await openStore(t, {}, path)
  let closing: Promise<void> | undefined
  t.throws(
    () =>
      store.apply((tx) => {
        tx.put(store.state, 'a', 1)
        closing = store.close()
      }),
    { code: 'ERR_CLOSED' },
  )
  await closing
  t.is((await openStore(t, {}, path)).state.get('a'), undefined)
})
