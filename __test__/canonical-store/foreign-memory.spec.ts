// Bug: a Uint8Array that defined a `length` made the store take that number of bytes from the store's buffers: other tenants' data, or memory that was never
// written. Mechanism: properties of the caller's object were believed. Fix: the language's own getters are used wherever bytes are taken. And memory that is
// given away: a detached array is an argument mistake, and a transfer of a value's memory leaves the store's pools whole.
import { runInNewContext } from 'node:vm'
import test from 'ava'
import { binary } from '../../src/index.ts'
import { EventLog } from '../../src/event-log/index.ts'
import { writeBytes } from '../../src/internal/bytes.ts'
import { openStore } from '../support/store.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { ended, startWorker, told } from '../support/workers.ts'

class Longer extends Uint8Array {
  override get length(): number {
    return 200
  }
  override get byteLength(): number {
    return 200
  }
  override get byteOffset(): number {
    return 1
  }
  static get [Symbol.species](): Uint8ArrayConstructor {
    throw new Error('nobody asks')
  }
}
const own = (bytes: Uint8Array): Uint8Array => Object.defineProperty(bytes, 'length', { value: 3 })
const fifty = (): Uint8Array[] => [
  new Longer(50).fill(0x61),
  own(new Uint8Array(50).fill(0x61)),
  runInNewContext('new Uint8Array(50).fill(0x61)') as Uint8Array,
  new Uint8Array(new SharedArrayBuffer(50)).fill(0x61),
]
const plain = Buffer.alloc(50, 0x61)

test('bytes are as many as there are, whatever they say, wherever they are taken', async (t) => {
  const store = await openStore(t, { events: binary() })
  const things = store.collection('things', { key: binary(), value: binary() })
  for (const bytes of fifty()) {
    await things.put(bytes, bytes)
    t.deepEqual([things.get(plain), things.get(bytes), things.has(bytes)], [plain, plain, true])
    t.deepEqual(things.getMany([bytes, plain]), [plain, plain])
    t.deepEqual(things.range({ prefix: bytes }).toArray(), [[plain, plain]])
    t.deepEqual(things.range({ gte: bytes, lte: bytes }).keys()[Symbol.iterator]().next().value, plain)
    store.apply((tx) => {
      tx.put(things, bytes, bytes)
      t.deepEqual(tx.get(things, bytes), plain)
      t.true(tx.delete(things, bytes))
      tx.put(things, bytes, bytes)
      tx.append(bytes)
    })
    await store.append([bytes])
    t.deepEqual(store.event(store.nextEventId - 1)?.event, plain)
    const guard = await store.locks.acquire({ write: [bytes, things.key(bytes)] })
    t.is(store.locks.tryAcquire({ read: [plain] }), undefined)
    t.is(store.locks.tryAcquire({ read: [things.key(plain)] }), undefined)
    guard.release()
    await things.delete(bytes)
    t.false(things.has(plain))
  }
})

test('and in an event log', async (t) => {
  const log = await EventLog.open(temporaryFolder(t))
  for (const bytes of fifty()) {
    log.appendWithId(log.nextEventId, bytes)
    log.appendBatchWithIds(log.nextEventId, [bytes, bytes])
  }
  const found = [...log.iterRange(0)].map(([, bytes]) => bytes)
  t.is(found.length, 12)
  t.true(found.every((bytes) => bytes.equals(plain)))
  const gone = detached()
  t.throws(() => log.appendWithId(log.nextEventId, gone), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(() => log.appendBatchWithIds(log.nextEventId, [plain, gone]), { code: 'ERR_INVALID_ARGUMENT' })
  await log.close()
})

function detached(): Uint8Array {
  const bytes = new Uint8Array(10)
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
  return bytes
}

test('detached memory is an argument mistake, empty bytes are none', async (t) => {
  const store = await openStore(t, { events: binary() })
  const things = store.collection('things', { key: binary(), value: binary() })
  await t.throwsAsync(things.put(detached(), plain), { code: 'ERR_INVALID_ARGUMENT' })
  await t.throwsAsync(things.put(plain, detached()), { code: 'ERR_INVALID_ARGUMENT' })
  await t.throwsAsync(store.append([detached()]), { code: 'ERR_INVALID_ARGUMENT' })
  t.is(store.nextEventId, 1)
  await things.put(plain, new Uint8Array(0))
  t.is(things.get(plain)?.length, 0)
})

const growable = (bytes: number, maxByteLength: number): SharedArrayBuffer =>
  new (SharedArrayBuffer as new (bytes: number, options: { maxByteLength: number }) => SharedArrayBuffer)(bytes, { maxByteLength })

// Bug: bytes in memory that another thread made larger gave a raw `RangeError`. Mechanism: their length was asked for twice, for the room and for the copy.
// Fix: as many are copied as there was room made for.
test('of memory that another thread makes larger as many bytes are taken as there were', async (t) => {
  const log = await EventLog.open(temporaryFolder(t))
  const store = await openStore(t, { events: binary() })
  const things = store.collection('things', { key: binary(), value: binary() })
  const [slowly, next] = [growable(1, 256 * 1024), growable(1, 256 * 1024)]
  const views = [slowly, next].map((memory) => new Uint8Array(memory))
  const few = Array.from({ length: 2_000 }, () => Buffer.from('a'))
  const worker = startWorker(new URL('growing.ts', import.meta.url), [slowly, next])
  await told(worker)
  let batches = 0
  do {
    for (const bytes of views) log.appendBatchWithIds(log.nextEventId, [bytes, ...few, bytes])
    for (const bytes of views) {
      store.apply((tx) => tx.put(things, Buffer.from('key'), bytes))
      things.has(bytes)
      things.getMany([bytes, Buffer.from('key')])
      const guard = store.locks.tryAcquire({ write: [bytes] })
      guard?.release()
    }
    batches += 2
  } while (views.some((bytes) => bytes.length < 256 * 1024))
  t.is(log.nextEventId - 1, batches * 2_002)
  t.is(await ended(worker), 0)
  await log.close()
})

test('and no more than that is told of', (t) => {
  const memory = growable(50, 100)
  const bytes = new Uint8Array(memory).fill(7)
  const to = Buffer.alloc(60, 1)
  ;(memory as SharedArrayBuffer & { grow(bytes: number): void }).grow(100)
  for (const [counted, at] of [
    [50, 10],
    [50, 0],
    [30, 0],
  ] as const) {
    to.fill(1)
    t.is(writeBytes(to, bytes, at, counted), counted)
    t.deepEqual(to.subarray(at, at + counted), Buffer.alloc(counted, 7).fill(0, 50))
  }
})

test('what a value lies in can be transferred: reading goes on in new memory', async (t) => {
  const { transfer } = ArrayBuffer.prototype as { transfer?: (this: ArrayBufferLike) => ArrayBuffer }
  if (transfer === undefined) {
    t.pass('this Node has no ArrayBuffer.prototype.transfer')
    return
  }
  const store = await openStore(t, { events: binary() })
  const things = store.collection('things', { key: binary(), value: binary() })
  for (const key of ['a', 'b', 'c']) await things.put(Buffer.from(key), plain)
  await store.appendAll([plain, plain])
  // The memory is marked untransferable. Later Nodes refuse to transfer such memory, earlier ones give it away all the same.
  let isRefused = false
  const give = (bytes: Uint8Array | undefined): void => {
    try {
      transfer.call(bytes?.buffer as ArrayBufferLike)
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      isRefused = true
    }
  }
  for (const read of [
    () => things.get(Buffer.from('a')),
    () => things.getMany([Buffer.from('a'), Buffer.from('b')])[1],
    () => things.range().values()[Symbol.iterator]().next().value as Buffer,
    () => store.event(1)?.event,
    () => [...store.events()][1]?.event,
  ]) {
    give(read())
    t.deepEqual(read(), plain)
  }
  if (isRefused) {
    for (const [, value] of things.range()) give(value)
    for (const { event } of store.events()) give(event)
  } else {
    // There is nothing left of the page, which is said.
    t.throws(
      () => {
        for (const [, value] of things.range()) give(value)
      },
      { code: 'ERR_INVALID_ARGUMENT' },
    )
    t.throws(
      () => {
        for (const { event } of store.events()) give(event)
      },
      { code: 'ERR_INVALID_ARGUMENT' },
    )
  }
  t.is(things.range().toArray().length, 3)
})
