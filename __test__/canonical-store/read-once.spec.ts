// Options and the other objects of the user's are asked for each of their properties once: a getter may answer differently the second time, and what was
// checked would not be what is used.
import test from 'ava'
import { envelope, json, open, retry, utf8, type Codec, type KeyCodec, type StandardSchemaV1 } from '../../src/index.ts'
import { EventLog } from '../../src/event-log/index.ts'
import { LockManager } from '../../src/lock-manager/index.ts'
import { FileSnapshotSet } from '../../src/snapshot-set/index.ts'
import { WriteCoordinator, http, jsonLines, listDelta, mapDelta, parquet, type JsonLinesSnapshot, type ListDeltaTypes } from '../../src/write-coordinator/index.ts'
import { openStore, storePath } from '../support/store.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/** How often each property was asked for. */
class Asked {
  readonly counts = new Map<string, number>()

  /** The same with getters that count. */
  of<T extends object>(name: string, object: T): T {
    const made = {}
    for (const [property, value] of Object.entries(object)) {
      const path = `${name}.${property}`
      this.counts.set(path, 0)
      Object.defineProperty(made, property, {
        enumerable: true,
        get: () => {
          this.counts.set(path, (this.counts.get(path) as number) + 1)
          return value as unknown
        },
      })
    }
    return made as T
  }

  /** Those that were not asked for once. */
  others(): [string, number][] {
    return [...this.counts].filter(([, count]) => count !== 1)
  }
}

const { signal } = new AbortController()
const level = 'applied' as const

test('of a store', async (t) => {
  const asked = new Asked()
  const once = asked.of.bind(asked)
  const store = await open(
    storePath(t),
    once('open', {
      durability: level,
      create: true,
      limits: once('limits', { keyBytes: 100, valueBytes: 1_000, eventBytes: 1_000, transactionBytes: 10_000 }),
      flush: once('flush', { bytes: 1 << 20, intervalMs: 1_000 }),
      inlineFlush: 'auto' as const,
      mapSizeBytes: 1 << 20,
      segmentBytes: 1 << 20,
      eventCompression: 'lz4' as const,
      retention: once('retention', { maxEvents: 10, maxAgeMs: 1_000, maxBytes: 1_000_000 }),
      stripes: 256,
      readers: once('readers', { warnAfterMs: 10_000 }),
      allowNetworkFileSystem: false,
      signal,
      events: json(),
    }),
  )
  t.teardown(() => store.close())
  const things = store.collection('things', once('collection', { key: utf8(), value: json() }))
  const options = (name: string): { durability: 'applied'; signal: AbortSignal } => once(name, { durability: level, signal })
  await things.put('a', 1, options('put'))
  await things.delete('a', options('delete'))
  await store.append(1, options('append'))
  await store.appendAll([1, 2], options('appendAll'))
  await store.transact((tx) => {
    tx.deleteRange(things, once('deleteRange', { gte: 'a', lt: 'b', prefix: 'a' }))
  }, options('transact'))
  const keys = (): object =>
    once('declared', { read: [things.keys(once('keys', { gte: 'a', lte: 'b', prefix: 'a', reverse: true, limit: 1 }))], write: [things.key('b')] })
  const limits = (name: string): object => once(name, { timeoutMs: 1_000, signal })
  await store.transact(once('phases', { keys: keys(), preflight: () => 1, apply: () => 1 }), once('phases options', { durability: level, signal, timeoutMs: 1_000 }))
  await store.check(once('checks', { keys: keys(), preflight: () => 1 }), limits('check'))
  things.range(once('range', { gt: 'a', lt: 'b', prefix: 'a', reverse: true, limit: 1 })).toArray()
  store.range(things, once('store range', { gte: 'a' })).count()
  t.is([...store.events(once('events', { from: 1, to: 3, since: 0, reverse: true, limit: 2 }))].length, 2)
  t.is([...store.events(once('events after', { after: 1 }))].length, 2)
  const following = store.follow(once('follow', { from: 1, durability: level, signal, batch: 2 }))
  await following[Symbol.asyncIterator]().next()
  await store.trimEvents(once('trim', { before: 2 }))
  ;(await store.pauseIngestion(once('pause', { timeoutMs: 1_000, signal }))).release()
  for (const call of ['sync', 'flush', 'verify'] as const) await store[call](once(call, { signal }))
  ;(await store.locks.acquire(once('lock set', { read: ['a'], write: ['b'] }), limits('acquire'))).release()
  await store.dropCollection('things', options('drop'))
  t.deepEqual(asked.others(), [])
})

// Bug: a codec whose `name` answers differently the second time gave a raw error of the binding. Mechanism: one answer was checked, another used. Fix: the
// check reads the name once and passes it on.
test('of codecs and schemas', async (t) => {
  const asked = new Asked()
  const names: Record<string, number> = {}
  const named = <C extends object>(name: string, codec: C): C =>
    Object.defineProperty(codec, 'name', {
      get: () => {
        names[name] = (names[name] ?? 0) + 1
        return names[name] === 1 ? name : 7
      },
    })
  const codec = (name: string): Codec<number> => named(name, { name, encode: String, decode: Number })
  const key: KeyCodec<string> = named('key', { name: '', ordered: true, encode: String, decode: String, encodePrefix: String } as const)
  const store = await openStore(t, { events: codec('events') })
  await store.collection('things', { key, value: codec('value') }).put('a', 1)
  t.is(
    store
      .collection('things', { key: { name: 'key', ordered: true, encode: String, decode: String }, value: { name: 'value', encode: String, decode: Number } })
      .get('a'),
    1,
  )
  t.deepEqual(names, { key: 1, value: 1, events: 1 })

  const types = asked.of('types', { a: asked.of('type', { version: 2, upcast: asked.of('upcast', { 1: (data: unknown) => data }), schema: undefined }) })
  t.is(envelope<{ a: number }>(asked.of('envelope', { types, codec: codec('inside') as never }) as never).name, 'envelope(inside)')
  const result = asked.of('result', { issues: [asked.of('issue', { message: 'no', path: [asked.of('segment', { key: 'a' })] })] })
  const schema: StandardSchemaV1<number> = { '~standard': { version: 1, vendor: 'test', validate: () => result } }
  t.throws(() => json(schema).encode(1), { message: /path=a/u })
  asked.counts.delete('issue.message')
  t.deepEqual(asked.others(), [])
  t.is(names['inside'], 1)
})

test('of logs, locks, snapshot sets, retries and coordinators', async (t) => {
  const asked = new Asked()
  const once = asked.of.bind(asked)
  const log = await EventLog.open(
    temporaryFolder(t),
    once('log', {
      segmentBytes: 1 << 20,
      maxEventBytes: 100,
      firstEventId: 1,
      durability: level === 'applied' ? ('written' as const) : level,
      compression: 'none' as const,
      create: true,
      readOnly: false,
      allowNetworkFileSystem: false,
    }),
  )
  log.appendWithId(1, Buffer.from('a'))
  await log.rotate()
  await log.checksum(once('segment', { firstEventId: 1 }) as never)
  await log.close()
  const locks = new LockManager(once('locks', { stripes: 16, timeoutMs: 1_000 }))
  ;(await locks.acquire(once('set', { read: ['a'], write: [Buffer.from('b')] }), once('acquire', { timeoutMs: 1_000, signal }))).release()
  const set = await FileSnapshotSet.open(temporaryFolder(t), once('snapshots', { verify: 'lengths' as const, allowNetworkFileSystem: false }))
  const { ordinal } = await set.createOrGetSnapshot('pending', 1, false)
  await set.publishCompletedSnapshot(ordinal, once('publish', { purgeObsoleteDiffs: true, purgeObsoletePendings: true }))
  await set.prune(once('prune', { keepFull: 1, pendings: true }))
  await set.close()
  await retry(() => 1, once('retry', { attempts: 2, minDelayMs: 1, maxDelayMs: 2, signal }))

  mapDelta(once('map delta', { sizeOf: () => 1 }))
  http(
    'http://localhost:1',
    once('http', { method: 'PUT', headers: {}, batch: 1, timeoutMs: 1, encode: () => '', attempts: 1, minDelayMs: 1, maxDelayMs: 1, fetch: globalThis.fetch }) as never,
  )
  parquet(temporaryFolder(t), once('parquet', { columns: { a: 'STRING' }, row: () => ({}), name: 'rows' }) as never)
  const flusher = jsonLines<number>(temporaryFolder(t), once('lines', { name: 'lines', maxBytes: 1_000, encode: String }))
  const coordinator = new WriteCoordinator<ListDeltaTypes<number> & { Snapshot: JsonLinesSnapshot | undefined }>(
    once('coordinator', {
      init: listDelta(once('list delta', { keep: (write: number) => write, sizeOf: () => 1 })),
      context: undefined,
      snapshot: undefined,
      flusher,
      flush: once('flush', { bytes: 1_000, intervalMs: 10, writes: 10 }),
      maxPendingBytes: 1_000,
      durability: 'written' as const,
      retry: once('retry plan', { attempts: 1, minDelayMs: 1, maxDelayMs: 1 }),
    }),
  )
  const handle = await coordinator.write(1, once('write', { timeoutMs: 1_000, signal }))
  await handle.wait('durable', once('wait', { signal }))
  await coordinator.flush('durable', once('flush call', { signal }))
  ;(await coordinator.pause(once('pause', { timeoutMs: 1_000, signal }))).release()
  await coordinator.close(once('close', { signal }))
  t.deepEqual(asked.others(), [])
})
