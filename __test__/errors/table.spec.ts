// Each row of the table of errors, provoked through the public API: code, class, fields, retryable, cause and the style of the message. Where a
// second process, a full or a failing device is needed, see the other files of this room.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import {
  binary,
  type Codec,
  type ErrorCode,
  json,
  LedgerstoneError,
  type LockTimeoutError,
  open,
  type PreflightContext,
  retry,
  type StandardSchemaV1,
  utf8,
} from '../../src/index.ts'
import { crc32c } from '../crash/crc32c.ts'
import { openStore, storePath } from '../support/store.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { ANY_NUMBER, ANY_TEXT, errorOf, expectError, SECRET } from './expect-error.ts'

const PLAIN = 'LedgerstoneError'
/** Where the codes are provoked that this file does not provoke. */
const ELSEWHERE: Record<string, string> = {
  ERR_LOCKED: '../lifecycle/handles.spec.ts',
  ERR_BUSY: 'contention.spec.ts',
  ERR_BACKPRESSURE: 'contention.spec.ts',
  ERR_NO_SPACE: 'device.spec.ts',
  ERR_POISONED: 'device.spec.ts',
  ERR_BACKUP: '../canonical-store/backup.spec.ts',
  ERR_FILE_SYSTEM: 'file-system.spec.ts',
  ERR_EVENTS_TRIMMED: '../canonical-store/trim.spec.ts',
  ERR_SEALED: '../canonical-store/seal.spec.ts',
  ERR_PAUSED: '../canonical-store/pause.spec.ts',
  ERR_TIMEOUT: '../canonical-store/pause.spec.ts',
  ERR_EVENT_ID_GAP: '../event-log/log.spec.ts',
  ERR_NATIVE_MISSING: 'loader.spec.ts',
  ERR_VERSION_MISMATCH: 'loader.spec.ts',
}
const seen = new Set<string>()
function row(code: ErrorCode): ErrorCode {
  seen.add(code)
  return code
}

test('ERR_INVALID_ARGUMENT names the argument, and nothing has happened', async (t) => {
  const store = await openStore(t)
  const { state } = store
  const calls: Record<string, readonly [argument: string, call: () => unknown]> = {
    'a path of the wrong type': ['path', () => open(5 as never)],
    'an empty path': ['path', () => open('')],
    'an unknown option': ['colour', () => open('x', { colour: 'red' } as never)],
    'an unknown nested option': ['flush.colour', () => open('x', { flush: { colour: 'red' } } as never)],
    'an option out of range': ['flush.bytes', () => open(storePath(t), { flush: { bytes: 1000 } })],
    'an option above its range': ['limits.keyBytes', () => open(storePath(t), { limits: { keyBytes: 100_000 } })],
    'an unknown option of readers': ['readers.colour', () => open('x', { readers: { colour: 'red' } } as never)],
    'an age that no timer can wait for': ['readers.warnAfterMs', () => open(storePath(t), { readers: { warnAfterMs: 2 ** 31 } })],
    'a level that is none': ['durability', () => state.put('a', SECRET, { durability: 'forever' as never })],
    'an unknown write option': ['colour', () => store.append('a', { colour: 'red' } as never)],
    'a signal that is none': ['signal', () => store.append('a', { signal: {} as never })],
    'a callback that is none': ['fn', () => store.apply('a' as never)],
    'an empty key': ['key', () => state.put('', SECRET)],
    'a key of the wrong type': ['key', () => state.put(5 as never, SECRET)],
    'a key of the wrong type that is read': ['key', () => state.get(5 as never)],
    'two lower bounds': ['range.gt', () => state.range({ gt: 'a', gte: 'b' })],
    'two upper bounds': ['range.lt', () => state.range({ lt: 'a', lte: 'b' })],
    'a limit that is none': ['range.limit', () => state.range({ limit: -1 })],
    'an unknown bound': ['range.from', () => state.range({ from: 'a' } as never)],
    'a collection without a name': ['name', () => store.collection('')],
    'a codec that is none': ['value', () => store.collection('a', { value: {} as never })],
    'a key codec without an order': ['key', () => store.collection('a', { key: json() as never })],
    'a drop of `state`': ['name', () => store.dropCollection('state')],
    'a schema that is none': ['schema', () => json({} as never)],
    'an event id that is none': ['id', () => store.event(1.5)],
    'stripes that are no power of two': ['stripes', () => open('x', { stripes: 1000 })],
    'too many stripes': ['stripes', () => open(storePath(t), { stripes: 2 ** 21 })],
    'locks that are no set': ['keys', () => store.locks.acquire(5 as never)],
    'an unknown kind of lock': ['keys.exclusive', () => store.locks.tryAcquire({ exclusive: ['a'] } as never)],
    'keys that are no array': ['keys.read', () => store.locks.acquire({ read: 'a' as never })],
    'a lock without a name': ['keys.write', () => store.locks.acquire({ write: [''] })],
    'a lock that is none': ['keys.write', () => store.locks.acquire({ write: [5 as never] })],
    'an unknown lock option': ['colour', () => store.locks.acquire({}, { colour: 'red' } as never)],
    'a time limit that is none': ['timeoutMs', () => store.locks.acquire({}, { timeoutMs: -1 })],
    'a time limit beyond all timers': ['timeoutMs', () => store.locks.acquire({}, { timeoutMs: 2 ** 31 })],
    'keys of a preflight that are no set': ['keys', () => store.transact({ keys: 5 as never, preflight: () => {}, apply: () => {} })],
    'a span that is to be written': ['keys.write', () => store.transact({ keys: { write: [state.keys()] }, preflight: () => {}, apply: () => {} })],
    'a preflight that is none': ['preflight', () => store.check({ keys: {}, preflight: 5 as never })],
    'an unknown phase': ['phases.colour', () => store.transact({ keys: {}, preflight: () => {}, apply: () => {}, colour: 'red' } as never)],
    'no attempts': ['attempts', () => retry(() => {}, { attempts: 0 })],
    'not an array of events': ['events', () => store.appendAll(5 as never)],
  }
  for (const [what, [argument, call]] of Object.entries(calls)) {
    const error = await errorOf(call).catch((problem: unknown) => t.fail(`${what}: ${String(problem)}`))
    if (error instanceof Error) expectError(t, error, { code: row('ERR_INVALID_ARGUMENT'), class: 'InvalidArgumentError', fields: { argument } })
  }
  const other = await openStore(t)
  const error = await errorOf(() => store.get(other.state, 'a'))
  expectError(t, error, { code: row('ERR_INVALID_ARGUMENT'), class: 'InvalidArgumentError', fields: { argument: 'collection' } })
  t.is(store.stats().levels.applied, 0)
})

test('ERR_LIMIT names the limit, the size and the maximum', async (t) => {
  const store = await openStore(t, { limits: { keyBytes: 10, valueBytes: 100, eventBytes: 50, transactionBytes: 1024 } })
  const { state } = store
  const large = SECRET.padEnd(99, '.')
  const calls: readonly (readonly [limit: string, size: unknown, max: number, call: () => unknown])[] = [
    ['keyBytes', 11, 10, () => state.put('k'.repeat(11), 1)],
    ['keyBytes', 12, 10, () => state.put('€'.repeat(4), 1)],
    ['valueBytes', 101, 100, () => state.put('a', large)],
    ['eventBytes', 101, 50, () => store.append(large)],
    [
      'transactionBytes',
      ANY_NUMBER,
      1024,
      () =>
        store.apply((tx) => {
          for (let n = 0; n < 100; n++) tx.put(state, `k${n}`, 'some value')
        }),
    ],
  ]
  for (const [limit, size, max, call] of calls) {
    expectError(t, await errorOf(call), { code: row('ERR_LIMIT'), class: 'LimitError', fields: { limit, size, max } })
  }
  t.is(store.stats().levels.applied, 0)
})

test('ERR_VALIDATION has the issues and tells the path of the first', async (t) => {
  const issues = [{ message: `${SECRET} is no number`, path: ['lines', 0, { key: 'n' }] }]
  const schema: StandardSchemaV1 = { '~standard': { version: 1, vendor: 'test', validate: () => ({ issues }) } }
  const store = await openStore(t)
  const error = await errorOf(() => store.collection('checked', { value: json(schema) }).put('a', SECRET))
  expectError(t, error, { code: row('ERR_VALIDATION'), class: 'ValidationError', fields: { issues } })
  t.regex(error.message, /path=lines\[0\]\.n$/)
})

test('ERR_CODEC names codec and collection and has the cause', async (t) => {
  const failing: Codec<string> = { name: 'failing', encode: (text) => (text === 'bad' ? fail() : text), decode: () => fail() }
  const store = await openStore(t, { events: json() as unknown as Codec<bigint> })
  const collection = store.collection('odd', { value: failing })
  await collection.put('a', SECRET)
  const ofOdd = { code: row('ERR_CODEC'), class: 'CodecError', fields: { codec: 'failing', collection: 'odd' }, cause: 'any' } as const
  expectError(t, await errorOf(() => collection.put('b', 'bad')), ofOdd)
  expectError(t, await errorOf(() => collection.get('a')), ofOdd)
  expectError(t, await errorOf(() => collection.range().toArray()), ofOdd)
  const ofState = { ...ofOdd, fields: { codec: 'json', collection: 'state' } }
  expectError(t, await errorOf(() => store.state.put('a', undefined as never)), ofState)
  expectError(t, await errorOf(() => store.state.put('a', 1n as never)), ofState)
  expectError(t, await errorOf(() => store.append([1n])), { ...ofOdd, fields: { codec: 'json' } })
  expectError(t, await errorOf(() => store.state.put('\ud800', 1)), { ...ofOdd, fields: { codec: 'utf8', collection: 'state' } })
})

test('ERR_CODEC_MISMATCH tells both codecs, and the collection unless it is the events', async (t) => {
  const path = storePath(t)
  const store = await openStore(t, {}, path)
  await store.collection('texts', { value: utf8() }).put('a', SECRET)
  await store.append('an event')
  const code = row('ERR_CODEC_MISMATCH')
  const values = await errorOf(() => store.collection('texts', { value: binary() }))
  expectError(t, values, { code, class: 'CodecError', fields: { collection: 'texts', expected: 'utf8', actual: 'binary' } })
  const keys = await errorOf(() => store.collection('texts', { key: binary() as never, value: utf8() }))
  expectError(t, keys, { code, class: 'CodecError', fields: { collection: 'texts', expected: 'utf8', actual: 'binary' } })
  await store.close()
  const events = await errorOf(() => open(path, { events: utf8() }))
  expectError(t, events, { code, class: 'CodecError', fields: { expected: 'json', actual: 'utf8' } })
})

test('ERR_NOT_FOUND has the path or the name', async (t) => {
  const path = storePath(t)
  expectError(t, await errorOf(() => open(path, { create: false })), { code: row('ERR_NOT_FOUND'), class: PLAIN, fields: { path } })
  const store = await openStore(t)
  const error = await errorOf(() => store.dropCollection('unknown'))
  t.true(error instanceof LedgerstoneError)
  // The one field that hides the class's name.
  t.deepEqual([error.code, error.name, error.message], [row('ERR_NOT_FOUND'), 'unknown', 'there is no such collection: name=unknown'])
})

test('ERR_LOCK_TIMEOUT has the time waited, the stripe and for how long others have held it', async (t) => {
  const store = await openStore(t)
  const keys = { write: [store.state.key('a')] }
  const guard = await store.locks.acquire(keys)
  const expected = {
    code: row('ERR_LOCK_TIMEOUT'),
    class: 'LockTimeoutError',
    retryable: true,
    fields: { waitedMs: ANY_NUMBER, stripe: ANY_NUMBER, heldMs: ANY_NUMBER },
  } as const
  for (const timeoutMs of [0, 20]) {
    const error = await errorOf(() => store.locks.acquire(keys, { timeoutMs }))
    expectError(t, error, expected)
    const { waitedMs, stripe, heldMs } = error as LockTimeoutError
    t.true(waitedMs >= timeoutMs - 1 && heldMs >= waitedMs && stripe < 16_384, error.message)
  }
  guard.release()
  t.is(store.stats().locks.timeouts, 2)
})

test('ERR_PREFLIGHT_REJECTED has what it was rejected with', async (t) => {
  const store = await openStore(t)
  const errors = ['too little', 'too late']
  const error = await errorOf(() => store.transact({ keys: {}, preflight: (ctx) => ctx.reject('too little', 'too late'), apply: () => {} }))
  expectError(t, error, { code: row('ERR_PREFLIGHT_REJECTED'), class: 'PreflightRejectedError', fields: { errors } })
})

test('ERR_UNDECLARED_KEY has the collection and the key, which the message shows in part', async (t) => {
  const store = await openStore(t)
  const { state } = store
  const bytes = store.collection('bytes', { key: binary() })
  const [long, key] = ['k"'.repeat(100), Buffer.from([0, 255, 10])]
  const reads: readonly (readonly [read: (ctx: PreflightContext) => unknown, fields: Record<string, unknown>, shown: string])[] = [
    [(ctx) => ctx.get(state, 'a'), { collection: 'state', key: 'a' }, 'collection="state" key="a"'],
    [(ctx) => ctx.has(state, long), { collection: 'state', key: long }, `key=${JSON.stringify(`${long.slice(0, 32)}…`)}`],
    [(ctx) => ctx.getMany(bytes, [key]), { collection: 'bytes', key }, 'collection="bytes" key=00ff0a'],
    [(ctx) => ctx.range(state), { collection: 'state' }, 'collection="state"'],
  ]
  for (const [read, fields, shown] of reads) {
    const error = await errorOf(() => store.transact({ keys: {}, preflight: (ctx) => void read(ctx), apply: () => {} }))
    expectError(t, error, { code: row('ERR_UNDECLARED_KEY'), class: PLAIN, fields })
    t.true(error.message.endsWith(shown), error.message)
  }
})

test('ERR_CONFLICT has the number of attempts', async (t) => {
  const store = await openStore(t)
  const { state } = store
  let n = 0
  const error = await errorOf(() =>
    store.transact({
      keys: { read: [state.key('a')] },
      preflight: async (ctx) => {
        ctx.get(state, 'a')
        await state.put('a', n++)
      },
      apply: () => {},
    }),
  )
  expectError(t, error, { code: row('ERR_CONFLICT'), class: 'ConflictError', retryable: true, fields: { attempts: 3 } })
})

test('ERR_OPTIONS_MISMATCH has the option and both values', async (t) => {
  const store = await openStore(t)
  const error = await errorOf(() => open(store.path, { segmentBytes: 1 << 20 }))
  expectError(t, error, { code: row('ERR_OPTIONS_MISMATCH'), class: PLAIN, fields: { option: 'segmentBytes', expected: 64 << 20, actual: 1 << 20 } })
})

test('ERR_CLOSED', async (t) => {
  const store = await openStore(t)
  const snapshot = store.snapshot()
  const iterator = snapshot.range(store.state)[Symbol.iterator]()
  snapshot.release()
  await store.close()
  for (const use of [() => store.state.get('a'), () => store.append('a'), () => snapshot.seq, () => iterator.next()]) {
    expectError(t, await errorOf(use), { code: row('ERR_CLOSED'), class: 'ClosedError', fields: {} })
  }
})

test('ERR_TRANSACTION_OPEN aborts the transaction that is open, also when it is caught', async (t) => {
  const store = await openStore(t)
  const expected = { code: row('ERR_TRANSACTION_OPEN'), class: PLAIN, fields: {} } as const
  const inner: (() => unknown)[] = [
    () => store.apply(() => {}),
    () => store.writeTxn(),
    () => void store.transact(() => {}).catch(() => {}),
    () => void store.state.put('b', 1).catch(() => {}),
    () => void store.append('b').catch(() => {}),
  ]
  for (const write of inner) {
    const error = await errorOf(() =>
      store.apply((tx) => {
        tx.put(store.state, 'a', SECRET)
        try {
          write()
        } catch {
          // dropped
        }
      }),
    )
    expectError(t, error, expected)
  }
  t.is(store.state.get('a'), undefined)
  t.is(store.stats().levels.applied, 0)
})

test('ERR_TRANSACTION_FINISHED', async (t) => {
  const store = await openStore(t)
  const expected = { code: row('ERR_TRANSACTION_FINISHED'), class: PLAIN, fields: {} } as const
  const tx = store.writeTxn()
  tx.put(store.state, 'a', SECRET)
  tx.abort()
  expectError(t, await errorOf(() => tx.put(store.state, 'a', SECRET)), expected)
  const late = store.writeTxn()
  await Promise.resolve()
  expectError(t, await errorOf(() => late.commit()), expected)
})

test('ERR_ASYNC_TRANSACTION', async (t) => {
  const store = await openStore(t)
  const asynchronous = (async (tx: { put(into: unknown, key: string, value: string): void }) => tx.put(store.state, 'a', SECRET)) as never
  for (const use of [() => store.apply(asynchronous), () => store.transact(asynchronous)]) {
    expectError(t, await errorOf(use), { code: row('ERR_ASYNC_TRANSACTION'), class: PLAIN, fields: {} })
  }
  t.is(store.state.get('a'), undefined)
})

test('ERR_CORRUPT has file and offset', async (t) => {
  const path = storePath(t)
  const store = await openStore(t, {}, path)
  await store.append(SECRET)
  await store.close()
  const [segment] = readdirSync(join(path, 'events')) as [string]
  const file = join(path, 'events', segment)
  const bytes = readFileSync(file)
  bytes.writeUInt8(bytes.readUInt8(4096 + 60) ^ 1, 4096 + 60)
  writeFileSync(file, bytes)
  const error = await errorOf(async () => {
    const damaged = await openStore(t, {}, path)
    return [...damaged.events()]
  })
  expectError(t, error, { code: row('ERR_CORRUPT'), class: 'CorruptionError', fields: { file: ANY_TEXT, offset: ANY_NUMBER } })
  t.true(error.message.includes(path))
})

test('ERR_FORMAT has what was found and what is supported', async (t) => {
  const path = storePath(t)
  const store = await openStore(t, {}, path)
  await store.close()
  const file = join(path, 'IDENTITY')
  const bytes = readFileSync(file)
  bytes.writeUInt16LE(2, 8)
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, -4)), bytes.length - 4)
  writeFileSync(file, bytes)
  const expected = { code: row('ERR_FORMAT'), class: 'FormatError', fields: { found: 2, supported: 1 } } as const
  expectError(t, await errorOf(() => open(path)), expected)
  writeFileSync(file, 'something else entirely, and longer than it has to be')
  const foreign = await errorOf(() => open(path))
  t.is(foreign.code, 'ERR_FORMAT')
  t.regex(foreign.message, /^found a file that was not made here, expected the identity of a store: path=.*IDENTITY$/)
  rmSync(file)
  mkdirSync(file)
  const folder = await errorOf(() => open(path))
  expectError(t, folder, { code: 'ERR_FORMAT', class: 'FormatError', fields: { found: 'a folder', supported: 'a regular file' } })
  t.regex(folder.message, /^found a folder, expected a regular file: path=.*IDENTITY$/)
})

test('ERR_IO has the number, the call and the path', async (t) => {
  const folder = temporaryFolder(t)
  const file = join(folder, 'file')
  writeFileSync(file, '')
  for (const path of [file, join(file, 'below')]) {
    const error = await errorOf(() => open(path))
    expectError(t, error, { code: row('ERR_IO'), class: 'IoError', fields: { errno: ANY_NUMBER, syscall: ANY_TEXT, path: ANY_TEXT } })
    t.true((error as unknown as { path: string }).path.startsWith(folder))
  }
})

test.after('every code that exists is provoked, here or in a file that is named here', (t) => {
  const source = readFileSync(new URL('../../src/errors.ts', import.meta.url), 'utf8')
  const union = /export type ErrorCode =\n((?: {2}\|.*\n)+)/.exec(source)?.[1] ?? ''
  const codes = [...union.matchAll(/ERR_[A-Z_]+/g)].map(([code]) => code)
  t.true(codes.length > 20)
  t.deepEqual(
    codes.filter((code) => !seen.has(code) && !(code in ELSEWHERE)),
    [],
  )
  for (const [code, file] of Object.entries(ELSEWHERE)) {
    t.true(readFileSync(new URL(file, import.meta.url), 'utf8').includes(code), `${code} in ${file}`)
  }
})

function fail(): never {
  throw new TypeError('a codec that fails')
}
