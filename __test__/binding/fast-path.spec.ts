// The hot calls get what no type checker has seen: stale ids, buffers that are gone, bytes that mean nothing. Whatever comes in, the answer is
// an error record, never a crash, and nothing is applied.
import test from 'ava'
import { MISSING, TOO_BIG } from '../../src/native/binding.ts'
import { ANSWER, ID, KEY_BYTES, OFFSET, READER, SLOT } from '../../src/native/call-memory.ts'
import {
  FAILED,
  HEAD_BYTES,
  bounds,
  codeOf,
  cold,
  commit,
  error,
  event,
  get,
  getText,
  has,
  hot,
  memory,
  openIn,
  openLogIn,
  readRange,
  record,
  text,
  unpackRange,
  writeSet,
} from './raw.ts'
import type { HotCalls } from '../../src/native/binding.ts'

const POOL = Buffer.alloc(4096)

test('what is put is read back, by string and by bytes', async (t) => {
  const { store } = await openIn(t)
  const { seq, firstEventId, ...counts } = commit(store, { put: 'a', value: 'one' }, { put: 'ü€𝄞', value: '' }, { event: 'happened' })
  t.deepEqual([seq, firstEventId], [1, 1])
  t.like(counts, { eventsWritten: 1, keysWritten: 2, keysDeleted: 0 })
  t.is(getText(store, 'a'), 'one')
  t.is(getText(store, Buffer.from('a')), 'one')
  t.is(getText(store, new Uint8Array([97])), 'one')
  t.is(getText(store, 'ü€𝄞'), '')
  t.is(getText(store, 'b'), undefined)
  t.deepEqual(
    ['a', 'b'].map((key) => has(store, 0, key)),
    [1, 0],
  )
  commit(store, { delete: 'a' })
  t.is(getText(store, 'a'), undefined)
})

test('a read finds its arguments in the memory of the call', async (t) => {
  const { store } = await openIn(t)
  const longest = 'k'.repeat(1_024)
  commit(store, { put: 'key', value: 'ünï' }, { put: longest, value: 'x'.repeat(100) })
  const { reader } = cold.openSnapshot(store)
  const pool = new ArrayBuffer(128)
  for (const from of [store, reader]) {
    t.is(get(from, 0, 'key', pool, 7), 5)
    t.is(Buffer.from(pool, 7, 5).toString(), 'ünï')
    t.is(text(from, 0, 'key'), 'ünï')
    t.deepEqual(
      ['ke', 'key', 'keys'].map((key) => has(from, 0, key)),
      [0, 1, 0],
    )
    t.deepEqual([get(from, 0, '', pool, 0), text(from, 0, ''), has(from, 0, '')], [-1, -1, 0], 'no key is empty')
  }
  for (const key of [longest, Buffer.from(longest)]) t.is(text(store, 0, key), 'x'.repeat(100))
  for (const length of [2_049, 2 ** 31 - 1, -1]) {
    memory.words[KEY_BYTES] = length
    hot.has()
    t.is(memory.words[ANSWER], FAILED)
    t.is(error()['argument'], 'key')
  }
  t.is(get(store, 0, 'key', new ArrayBuffer(4), 5), FAILED)
  t.is(error()['argument'], 'offset')
  const gone = new ArrayBuffer(128)
  structuredClone(gone, { transfer: [gone] })
  t.is(get(store, 0, longest, gone, 0), -2, 'nothing is written to memory that is gone')
  t.is(cold.takeValue().length, 100)
})

test('text comes as a string, whatever its bytes are', async (t) => {
  const { store } = await openIn(t)
  const texts = ['', 'ascii', 'é', '€𝄞', '\ufeffbom', '\0', 'a'.repeat(100_000), 'ü'.repeat(50_000)]
  commit(store, ...texts.map((value, i) => ({ put: `k${i}`, value })), { put: 'bad', value: Buffer.from([0x61, 0xff, 0xc3, 0x62]) })
  t.deepEqual(
    texts.map((_, i) => text(store, 0, `k${i}`)),
    texts,
  )
  t.is(text(store, 0, 'bad'), 'a\ufffd\ufffdb')
  t.is(text(store, 0, 'missing'), -1)
  t.is(text(store, 0, Buffer.alloc(0)), -1)
  await cold.closeStore(store)
  for (const key of ['k0', '']) {
    t.is(text(store, 0, key), FAILED)
    t.is(error().code, 'ERR_CLOSED')
  }
})

test('a key that cannot exist is missing', async (t) => {
  const { store } = await openIn(t)
  for (const key of ['', 'x'.repeat(1_979), 'x'.repeat(2_048), '€'.repeat(682), Buffer.alloc(0), Buffer.alloc(2_048)]) {
    t.is(get(store, 0, key, POOL, 0), -1)
    t.is(has(store, 0, key), 0)
  }
})

test('a value that does not fit into the pool is taken by a second call', async (t) => {
  const { store } = await openIn(t)
  commit(store, { put: 'k', value: 'abcdef' })
  const pool = Buffer.alloc(8)
  t.is(get(store, 0, 'k', pool, 2), 6)
  t.is(pool.toString('latin1'), '\0\0abcdef')
  pool.fill(0x7e)
  t.is(get(store, 0, 'k', pool, 3), -2)
  t.is(cold.takeValue().toString(), 'abcdef')
  t.is(pool.toString('latin1'), '~'.repeat(8), 'nothing is written that does not fit')
  t.is(await codeOf(() => cold.takeValue()), 'ERR_INVALID_ARGUMENT', 'once')
})

test('an id that outlived its object is ERR_CLOSED and never another object', async (t) => {
  const { store, path } = await openIn(t)
  commit(store, { put: 'k', value: 'v' })
  const { reader } = cold.openSnapshot(store)
  const cursor = hot.rangeOpen(reader, 0, bounds(), -1)
  cold.releaseReader(reader)
  t.is(hot.rangePage(cursor, POOL), FAILED, 'a range ends with its snapshot')
  t.is(error().code, 'ERR_CLOSED')
  const { reader: next } = cold.openSnapshot(store)
  const locks = cold.storeLocks(store)
  const token = hot.lock(locks, POOL, 0, 0)
  t.not(next, reader)
  t.is(get(reader, 0, 'k', POOL, 0), FAILED)
  t.is(error().code, 'ERR_CLOSED')
  t.is(getText(next, 'k'), 'v')

  await cold.closeStore(store)
  t.is(get(next, 0, 'k', POOL, 0), FAILED, 'a snapshot ends with its store')
  t.is(error().code, 'ERR_CLOSED')
  const again = await cold.openStore(path, { create: false, eventCodec: 'binary' })
  t.teardown(() => cold.closeStore(again.store))
  for (const call of [
    () => get(store, 0, 'k', POOL, 0),
    () => has(store, 0, 'k'),
    () => hot.getMany(store, 0, POOL, 0, 0, POOL),
    () => hot.rangeOpen(store, 0, bounds(), -1),
    () => hot.rangePage(cursor, POOL),
    () => hot.eventsPage(store, 1, 9, false, POOL),
    () => event(store, 1, POOL, 0),
    () => hot.begin(store, 0),
    () => hot.commit(store, writeSet(), HEAD_BYTES, 0),
    () => hot.want(store, 0, 0, 0, 0, 0),
    () => hot.lock(locks, POOL, 0, 0),
  ]) {
    t.is(call(), FAILED, call.toString())
    t.is(error().code, 'ERR_CLOSED', call.toString())
  }
  hot.abort(store)
  hot.poll(store, new Float64Array(8))
  for (const call of [
    () => cold.closeStore(store),
    () => cold.storeMeta(store),
    () => cold.storeStats(store),
    () => cold.collections(store),
    () => cold.openSnapshot(store),
    () => cold.collectionSlot(store, 'c', 'utf8', 'binary'),
    () => cold.nextEventId(store),
    () => cold.oldestEventId(store),
    () => cold.rangeCount(cursor),
  ]) {
    t.is(await codeOf(call), 'ERR_CLOSED', call.toString())
  }
  t.deepEqual([hot.unlock(locks, token), hot.withdraw(locks, token, 1, POOL), hot.grants(locks, new Float64Array(1)), hot.heldMs(locks, token)], [0, 0, 0, -1])
  t.is(await codeOf(() => cold.lockStats(locks)), 'ERR_CLOSED')
  cold.closeLocks(locks)
  cold.releaseReader(store)
  cold.releaseReader(reader)
  cold.closeCursor(cursor)
})

test('a packed lock set that lies about itself is refused, and nothing is locked', async (t) => {
  const { store } = await openIn(t)
  const locks = cold.storeLocks(store)
  const set = (head: number, bytes: number): Buffer => {
    const packed = Buffer.alloc(64)
    packed.writeUInt32LE(head)
    return packed.fill(0x61, 4, 4 + bytes)
  }
  for (const [packed, length] of [
    [set(3, 1), 4],
    [set(0xffffffff, 0), 64],
    [set(201, 60), 104],
    [set(3, 1), 7],
    [set(3, 1), 2 ** 40],
    [Buffer.alloc(23), 0],
  ] as const) {
    t.is(hot.lock(locks, packed, length, 1), FAILED)
    t.is(error()['argument'], 'set')
  }
  t.is(hot.lock(locks, set(3, 1), 5, 3), FAILED)
  t.is(error()['argument'], 'otherwise')
  t.is(cold.lockStats(locks).acquired, 0)
  const token = hot.lock(locks, set(3, 1), 5, 1)
  t.is(hot.lock(locks, set(2, 1), 5, 0), -1)
  const waits = hot.lock(locks, set(2, 1), 5, 1)
  t.deepEqual([token > 0, waits < -1], [true, true])
  t.deepEqual([hot.unlock(locks, -waits + 1), hot.unlock(locks, token), hot.unlock(locks, token)], [0, 3, 0])
  const tokens = new Float64Array(2)
  t.deepEqual([hot.grants(locks, new Float64Array(0)), hot.grants(locks, tokens), tokens[0]], [0, 1, -waits])
  t.deepEqual([hot.withdraw(locks, -waits, 0, Buffer.alloc(24)), hot.unlock(locks, -waits)], [0, 1])
})

test('a snapshot is no store, and releasing a reader does not close one', async (t) => {
  const { store } = await openIn(t)
  const { reader } = cold.openSnapshot(store)
  t.is(hot.begin(reader, 0), FAILED)
  t.is(error().code, 'ERR_CLOSED')
  t.is(hot.commit(reader, writeSet(), HEAD_BYTES, 0), FAILED)
  t.is(error().code, 'ERR_CLOSED')
  cold.releaseReader(store)
  t.is(commit(store, { put: 'k', value: 'v' }).seq, 1)
  cold.releaseReader(reader)
})

test('arguments of a wrong type or range are error records in every place of every call', async (t) => {
  const { store } = await openIn(t)
  const before = commit(store, { put: 'k', value: 'v' }, { event: 'e' }).seq
  const locks = cold.storeLocks(store)
  const log = await openLogIn(t)
  hot.logAppend(log, 1, Buffer.from('first'))
  const detached = Buffer.alloc(128)
  structuredClone(detached.buffer, { transfer: [detached.buffer] })
  const strange: unknown[] = [
    undefined,
    null,
    true,
    -1,
    0.5,
    NaN,
    Infinity,
    -Infinity,
    2 ** 31,
    2 ** 53,
    1e300,
    7n,
    '',
    'text',
    Symbol('s'),
    {},
    [],
    () => {},
    new Date(0),
    new Map(),
    Buffer.alloc(0),
    Buffer.alloc(3),
    detached,
    new Uint16Array(8),
    new Float64Array(7),
    new Float64Array(2),
    new ArrayBuffer(8),
    new DataView(new ArrayBuffer(64)),
    new Uint8Array(new SharedArrayBuffer(64)),
    new Proxy(Buffer.alloc(8), {}),
  ]
  const good: Record<keyof HotCalls, unknown[]> = {
    get: [POOL],
    getText: [],
    has: [],
    getMany: [store, 0, Buffer.from('\x01\0\0\0k\0\0\0'), 0, 8, POOL],
    rangeOpen: [store, 0, bounds(), -1],
    rangePage: [0, POOL],
    eventsPage: [store, 1, 2, 0, POOL],
    event: [POOL],
    begin: [store, 0],
    commit: [store, writeSet(), HEAD_BYTES, 0],
    abort: [store],
    want: [store, 0, 0, 0, 0, 0],
    poll: [store, new Float64Array(8)],
    lock: [locks, POOL, 5, 0],
    unlock: [locks, 0],
    withdraw: [locks, 0, 1, POOL],
    grants: [locks, new Float64Array(4)],
    heldMs: [locks, 0],
    logAppend: [log, 2, POOL],
    logAppendBatch: [log, 2, Buffer.from('\x01\0\0\0e'), 5],
    logGet: [log, 1, POOL, 0],
    logPage: [log, 0, 9, POOL],
    logEnds: [log, new Float64Array(2)],
  }
  const put = (): void => {
    memory.ask(store, 0, 'k')
    memory.numbers[ID] = 1
    memory.words[OFFSET] = 0
    memory.words[ANSWER] = 0
  }
  const allowed = new Set<string>(['ERR_INVALID_ARGUMENT', 'ERR_CLOSED', 'ERR_TRANSACTION_FINISHED', 'ERR_EVENT_ID_GAP', 'ERR_LIMIT'])
  let failures = 0
  for (const name of Object.keys(good) as (keyof HotCalls)[]) {
    const call = hot[name] as (...values: unknown[]) => unknown
    const attempts = strange.flatMap((value) => good[name].map((_, place) => good[name].with(place, value)))
    attempts.push([], ...good[name].map((_, place) => good[name].slice(0, place)), [...good[name], ...strange])
    for (const values of attempts) {
      put()
      if ((call(...values) ?? memory.words[ANSWER]) === FAILED) {
        failures++
        const { code } = error()
        t.true(allowed.has(code), `${name}: ${code}`)
      }
      hot.abort(store)
    }
  }
  const reads = {
    get: () => hot.get(POOL as unknown as ArrayBuffer),
    getText: () => hot.getText(),
    has: () => hot.has(),
    event: () => hot.event(POOL as unknown as ArrayBuffer),
  }
  const wrong: [place: number, refused: (keyof typeof reads)[]][] = [
    [READER, ['get', 'getText', 'has', 'event']],
    [ID, ['event']],
    [SLOT, ['get', 'getText', 'has']],
    [KEY_BYTES, ['get', 'getText', 'has']],
    [OFFSET, ['get', 'event']],
  ]
  for (const [place, refused] of wrong) {
    for (const value of place <= ID ? [-1, 0.5, NaN, Infinity, 2 ** 53, 1e300] : [-1, 2 ** 31 - 1, 4_097]) {
      for (const [name, read] of Object.entries(reads)) {
        put()
        const into = place <= ID ? memory.numbers : memory.words
        into[place] = value
        read()
        t.is(memory.words[ANSWER] === FAILED, refused.includes(name as keyof typeof reads), `${name}: ${value} at ${place}`)
        if (memory.words[ANSWER] !== FAILED) continue
        failures++
        t.true(allowed.has(error().code))
      }
    }
  }
  t.true(failures > 700, `${failures} refusals`)
  t.is(commit(store).seq, before, 'nothing of it was applied')
})

test('the same for cold calls', async (t) => {
  const { store } = await openIn(t)
  for (const id of [NaN, -1, 2 ** 53, Infinity, 1e9]) {
    t.is(await codeOf(() => cold.storeStats(id)), 'ERR_CLOSED')
    t.is(await codeOf(() => cold.rangeCount(id)), 'ERR_CLOSED')
    t.is(await codeOf(() => cold.closeStore(id)), 'ERR_CLOSED')
  }
  t.is(await codeOf(() => cold.openStore('/nowhere', { create: false, eventCodec: 'json', flushBytes: 0.5 })), 'ERR_INVALID_ARGUMENT')
  t.is(await codeOf(() => cold.openStore('/nowhere/at/all', { create: false, eventCodec: 'json' })), 'ERR_NOT_FOUND')
  for (const value of [undefined, 'x', {}, null]) t.throws(() => cold.storeStats(value as never))
  t.is(await codeOf(() => cold.firstEventAt(store, NaN)), 'ERR_INVALID_ARGUMENT')
  t.is(await codeOf(() => cold.hotCalls(() => {})), 'ERR_INVALID_ARGUMENT', 'the hot calls exist once')
})

test('offsets and lengths beyond a buffer are refused', async (t) => {
  const { store } = await openIn(t)
  commit(store, { put: 'k', value: 'v' }, { put: 'empty', value: '' })
  const pool = Buffer.alloc(8)
  t.deepEqual([get(store, 0, 'k', pool, 8), get(store, 0, 'empty', pool, 8)], [-2, 0])
  for (const offset of [9, 2 ** 31 - 1, -1]) {
    t.is(get(store, 0, 'k', pool, offset), FAILED)
    t.is(error()['argument'], 'offset')
  }
  const set = writeSet({ put: 'k', value: 'w' })
  for (const length of [0, 63, set.length + 1, 2 ** 32, 2 ** 52]) {
    t.is(hot.commit(store, set, length, 0), FAILED)
    t.is(error()['argument'], 'length')
  }
  t.is(hot.commit(store, Buffer.alloc(10), 64, 0), FAILED)
  t.is(error()['argument'], 'length')
  t.is(getText(store, 'k'), 'v')
})

test('memory that is shared with another thread is no write set', async (t) => {
  const { store } = await openIn(t)
  const own = writeSet({ put: 'k', value: 'v' })
  const shared = Buffer.from(new SharedArrayBuffer(own.length))
  own.copy(shared)
  for (const notOwn of [shared, shared.buffer as unknown as ArrayBuffer]) {
    t.is(hot.commit(store, notOwn, shared.length, 0), FAILED)
    t.is(error()['argument'], 'writeSet')
  }
  t.is(getText(store, 'k'), undefined)
})

test('a write set is taken by its memory, too', async (t) => {
  const { store } = await openIn(t)
  const set = writeSet({ put: 'k', value: 'v' })
  const memory = Uint8Array.from(set).buffer
  t.is(hot.commit(store, memory, memory.byteLength, 0), 0)
  t.deepEqual([getText(store, 'k'), new DataView(memory).getFloat64(0, true)], ['v', 1])
  t.is(hot.commit(store, memory, memory.byteLength + 1, 0), FAILED)
  t.is(error()['argument'], 'length')
  structuredClone(memory, { transfer: [memory] })
  t.is(hot.commit(store, memory, 64, 0), FAILED, 'given away')
  t.is(error()['argument'], 'length')
})

test('a slot that was not given is refused', async (t) => {
  const { store } = await openIn(t)
  t.is(get(store, 1, 'k', POOL, 0), FAILED)
  t.is(error()['argument'], 'slot')
  t.is(hot.rangeOpen(store, 7, bounds(), -1), FAILED)
  t.is(error()['argument'], 'slot')
  t.throws(() => commit(store, { put: 'k', value: 'v', slot: 1 }), { code: 'ERR_INVALID_ARGUMENT' } as never)
  t.is(cold.collectionSlot(store, 'things', 'utf8', 'binary'), 0, 'the same names, the same slot')
  t.is(cold.collectionSlot(store, 'others', 'utf8', 'binary'), 1)
  t.is(commit(store, { put: 'k', value: 'v', slot: 1 }).seq, 1)
})

test('write sets of random bytes are refused without a trace', async (t) => {
  const { store } = await openIn(t)
  const random = seeded(0x5eed)
  let refused = 0
  for (let round = 0; round < 3000; round++) {
    const set = Buffer.alloc(HEAD_BYTES + 1 + (random() % 160))
    for (let at = HEAD_BYTES; at < set.length; at++) set[at] = random() % 5 === 0 ? random() : random() % 4
    const before = Buffer.from(set)
    const { seq } = commit(store)
    if (hot.commit(store, set, set.length, 0) === FAILED) {
      refused++
      t.true(['ERR_INVALID_ARGUMENT', 'ERR_LIMIT', 'ERR_NOT_FOUND'].includes(error().code))
      t.deepEqual(set, before)
      t.is(commit(store).seq, seq)
    }
  }
  t.true(refused > 2900, `${refused} refusals`)
})

test('a write set with one flipped bit or a missing end is applied whole or not at all', async (t) => {
  const { store } = await openIn(t)
  const valid = writeSet({ put: 'key', value: 'value' }, { event: 'payload' }, { delete: 'other' }, { put: 'k', value: '' })
  let refused = 0
  for (let bit = HEAD_BYTES * 8; bit < valid.length * 8; bit++) {
    const set = Buffer.from(valid)
    set[bit >> 3] = (set[bit >> 3] as number) ^ (1 << (bit & 7))
    const [seq, eventId] = [commit(store).seq, cold.nextEventId(store)]
    if (hot.commit(store, set, set.length, 0) === FAILED) {
      refused++
      error()
      t.deepEqual([commit(store).seq, cold.nextEventId(store)], [seq, eventId])
    } else {
      t.is(commit(store).seq, seq + 1)
    }
  }
  for (let length = HEAD_BYTES + 1; length < valid.length; length++) {
    const seq = commit(store).seq
    const isWhole = hot.commit(store, valid, length, 0) === 0
    t.is(commit(store).seq, seq + (isWhole ? 1 : 0))
  }
  t.true(refused > 100, `${refused} refusals`)
})

test('limits are checked natively, too', async (t) => {
  const { store } = await openIn(t, { keyBytes: 8, valueBytes: 16, eventBytes: 4, transactionBytes: 1024 })
  const limitOf = (set: Buffer): unknown => (hot.commit(store, set, set.length, 0) === FAILED ? error()['limit'] : undefined)
  t.is(limitOf(writeSet({ put: '123456789', value: '' })), 'keyBytes')
  t.is(limitOf(writeSet({ put: '1', value: Buffer.alloc(17) })), 'valueBytes')
  t.is(limitOf(writeSet({ event: '12345' })), 'eventBytes')
  t.is(limitOf(Buffer.alloc(HEAD_BYTES + 1025)), 'transactionBytes')
  t.is(limitOf(writeSet({ put: '12345678', value: Buffer.alloc(16) }, { event: '1234' })), undefined)
})

test('the gate has one owner per environment and is given back by every commit', async (t) => {
  const { store } = await openIn(t)
  t.is(hot.begin(store, 0), 1)
  t.is(hot.begin(store, 0), FAILED)
  t.is(error().code, 'ERR_TRANSACTION_OPEN')
  const set = writeSet({ event: 'one' })
  t.is(hot.commit(store, set, set.length, 1), 0)
  t.is(hot.commit(store, set, set.length, 1), FAILED, 'it was given back')
  t.is(error().code, 'ERR_TRANSACTION_FINISHED')
  for (const [what, bad, length] of [
    ['short', Buffer.alloc(3), 3],
    ['shared', new Uint8Array(new SharedArrayBuffer(64)), 64],
    ['kind', writeSet().fill(9), 64],
    ['no buffer', 7, 64],
  ] as const) {
    t.is(hot.begin(store, 0), 2, what)
    if (hot.commit(store, bad as Buffer, length, 1) === FAILED) error()
  }
  t.is(hot.begin(store, 1), 2)
  hot.abort(store)
  hot.abort(store)
  t.is(commit(store, { event: 'two' }).firstEventId, 2)
})

test('one handle does not give back the gate that another handle of the same store holds', async (t) => {
  const { store, path } = await openIn(t)
  const other = (await cold.openStore(path, { create: true, eventCodec: 'binary' })).store
  t.is(hot.begin(store, 0), 1)
  hot.abort(other)
  await cold.closeStore(other)
  const set = writeSet({ event: 'mine' })
  t.is(hot.commit(store, set, set.length, 1), 0)
})

test('getMany answers what fits, missing ones too', async (t) => {
  const { store } = await openIn(t)
  commit(store, { put: 'a', value: 'one' }, { put: 'c', value: 'three!' }, { put: 'e', value: '' })
  const keys = Buffer.concat(
    ['a', 'b', 'c', '', 'e'].map((key) => {
      const packed = Buffer.alloc((4 + key.length + 3) & ~3)
      packed.writeUInt32LE(key.length)
      packed.write(key, 4)
      return packed
    }),
  )
  const pool = Buffer.alloc(64)
  t.is(hot.getMany(store, 0, keys, 0, keys.length, pool), 5)
  t.deepEqual(
    [0, 8, 12, 24, 28].map((at) => pool.readUInt32LE(at)),
    [3, 0xffffffff, 6, 0xffffffff, 0],
  )
  t.is(pool.toString('latin1', 4, 7) + pool.toString('latin1', 16, 22), 'onethree!')
  const small = Buffer.alloc(12)
  t.is(hot.getMany(store, 0, keys, 0, keys.length, small), 2)
  const tiny = Buffer.alloc(8)
  t.is(hot.getMany(store, 0, keys, 16, keys.length, tiny), 0)
  t.is(tiny.readUInt32LE(0), 12)
  t.is(hot.getMany(store, 0, keys, 0, 0, tiny), 0)
  for (const [at, length] of [
    [0, keys.length + 1],
    [9, 8],
    [6, 12],
  ] as const) {
    t.is(hot.getMany(store, 0, keys, at, length, pool), FAILED)
    t.is(error()['argument'], 'keys')
  }
  t.is(hot.getMany(store, 0, keys, 0, 8, Buffer.alloc(3)), FAILED)
  t.is(error()['argument'], 'pool')
  const both = Buffer.alloc(64)
  keys.copy(both)
  t.is(hot.getMany(store, 0, both, 0, 8, both), 1, 'keys and answers in the same memory')
  t.is(both.toString('latin1', 4, 7), 'one')
})

test('a range comes whole and in order, whatever the size of its pages', async (t) => {
  const { store } = await openIn(t)
  const all: [string, string][] = Array.from({ length: 300 }, (_, i) => [`k${String(i).padStart(4, '0')}`, 'v'.repeat(i % 37)])
  commit(store, ...all.map(([put, value]) => ({ put, value })))
  for (const bytes of [8, 24, 100, 4096, 65536]) {
    t.deepEqual(readRange(store, {}, bytes), all, `pages of ${bytes}`)
    t.deepEqual(readRange(store, { reverse: true }, bytes), all.toReversed(), `pages of ${bytes}, reverse`)
  }
  t.deepEqual(readRange(store, { gt: 'k0001', lte: 'k0005' }), all.slice(2, 6))
  t.deepEqual(readRange(store, { gte: 'k0001', lt: 'k0005' }), all.slice(1, 5))
  t.deepEqual(readRange(store, { gte: 'k0009', lt: 'k0002' }), [])
  t.deepEqual(readRange(store, { keysOnly: true, lt: 'k0002' }), [
    ['k0000', ''],
    ['k0001', ''],
  ])
  t.deepEqual(readRange(store, {}, 64, 7), all.slice(0, 7))
  t.deepEqual(readRange(store, {}, 64, 0), [])
  t.is(cold.rangeCount(hot.rangeOpen(store, 0, bounds({ gte: 'k0100' }), -1)), 200)
})

test('a page says whether all its keys are ASCII, and the end closes its cursor', async (t) => {
  const { store } = await openIn(t)
  commit(store, { put: 'a', value: 'é' }, { put: 'é', value: '' })
  const cursor = hot.rangeOpen(store, 0, bounds(), -1)
  const pool = Buffer.alloc(24)
  t.deepEqual(unpackRange(pool, hot.rangePage(cursor, pool)), { done: false, ascii: true, entries: [['a', 'é']] })
  t.deepEqual(unpackRange(pool, hot.rangePage(cursor, pool)), { done: true, ascii: false, entries: [['é', '']] })
  t.is(hot.rangePage(cursor, pool), FAILED)
  t.is(error().code, 'ERR_CLOSED')
})

test('packed bounds that lie about themselves are refused', async (t) => {
  const { store } = await openIn(t)
  const lying = (flags: number, lower: number, upper: number, bytes: number): Buffer => {
    const packed = Buffer.alloc(12 + bytes)
    for (const [at, word] of [flags, lower, upper].entries()) packed.writeUInt32LE(word, at * 4)
    return packed
  }
  for (const packed of [lying(1, 5, 0, 4), lying(4, 0, 5, 4), lying(5, 3, 3, 5), lying(1, 0xffffffff, 0xffffffff, 8), lying(64, 0, 0, 0), Buffer.alloc(11)]) {
    t.is(hot.rangeOpen(store, 0, packed, -1), FAILED)
    t.is(error()['argument'], 'bounds')
  }
})

test('events come in pages, in both directions', async (t) => {
  const { store } = await openIn(t)
  const payloads = Array.from({ length: 100 }, (_, i) => `event ${'x'.repeat(i % 23)} ${i}`)
  for (let i = 0; i < 100; i += 10) commit(store, ...payloads.slice(i, i + 10).map((event) => ({ event })))
  const read = (reader: number, from: number, to: number, reverse: boolean, bytes: number): string[] => {
    const found: string[] = []
    let pool = Buffer.alloc(bytes)
    for (;;) {
      const used = hot.eventsPage(reader, from, to, reverse, pool)
      if (used === FAILED) throw error()
      if (used === -2) {
        pool = Buffer.alloc(pool.readUInt32LE(0))
        continue
      }
      const count = pool.readUInt32LE(0)
      let at = 16
      for (let i = 0; i < count; i++) {
        const length = pool.readUInt32LE(at)
        t.true(pool.readDoubleLE(at + 8) > 1.6e12)
        found.push(pool.toString('utf8', at + 16, at + 16 + length))
        at = (at + 16 + length + 7) & ~7
      }
      if (count > 0) t.is(pool.readDoubleLE(8), reverse ? to - 1 : from)
      t.is(at, used)
      if ((pool.readUInt32LE(4) & 1) !== 0) return found
      if (reverse) to -= count
      else from += count
    }
  }
  const { reader, nextEventId } = cold.openSnapshot(store)
  t.is(nextEventId, 101)
  commit(store, { event: 'later' })
  for (const bytes of [16, 64, 4096]) {
    t.deepEqual(read(reader, 1, 101, false, bytes), payloads)
    t.deepEqual(read(store, 11, 21, true, bytes), payloads.slice(10, 20).toReversed())
  }
  t.deepEqual(read(store, 101, 200, false, 64), ['later'])
  t.deepEqual(read(reader, 101, 200, false, 64), [], 'a snapshot ends below its next event')
  t.is(hot.eventsPage(store, 1, 5, false, Buffer.alloc(15)), FAILED)
  t.is(error()['argument'], 'pool')
  cold.releaseReader(reader)
})

test('one event comes with its timestamp in front of it', async (t) => {
  const { store } = await openIn(t)
  const { timestamp } = commit(store, { event: 'first' }, { event: 'the second' })
  const pool = Buffer.alloc(40)
  t.is(event(store, 2, pool, 16), 10)
  t.deepEqual([pool.readDoubleLE(16), pool.toString('utf8', 24, 34)], [timestamp, 'the second'])
  for (const missing of [0, 3, Number.MAX_SAFE_INTEGER]) t.is(event(store, missing, pool, 0), MISSING)
  pool.fill(0)
  t.is(event(store, 2, pool, 24), TOO_BIG)
  t.is(pool.readDoubleLE(24), timestamp)
  t.is(cold.takeValue().toString(), 'the second')
  for (const offset of [33, 41]) {
    t.is(event(store, 1, pool, offset), FAILED)
    t.is(error()['argument'], 'offset')
  }
  const { reader } = cold.openSnapshot(store)
  t.is(event(reader, 1, pool, 0), FAILED, 'a snapshot reads pages')
  t.is(error().code, 'ERR_CLOSED')
  cold.releaseReader(reader)
})

test('a record of every kind with a wrong shape is refused', async (t) => {
  const { store } = await openIn(t)
  const empty = Buffer.alloc(0)
  const bytes = Buffer.from('xyz')
  for (const wrong of [
    record(0, 0, bytes, bytes),
    record(5, 0, bytes, bytes),
    record(1, 0, empty, bytes),
    record(2, 0, empty, empty),
    record(2, 0, bytes, bytes),
    record(3, 0, bytes, bytes),
  ]) {
    const set = Buffer.concat([Buffer.alloc(HEAD_BYTES), wrong])
    t.is(hot.commit(store, set, set.length, 0), FAILED)
    t.is(error().code, 'ERR_INVALID_ARGUMENT')
  }
})

/** Numbers from 0 to 255 that are the same in every run. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state >>> 24
  }
}
