// The event log on its own, method by method.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { EventsTrimmedError } from '../../src/index.ts'
import { EventLog } from '../../src/event-log/index.ts'
import { crc32c } from '../crash/crc32c.ts'
import { errorOf, expectError } from '../errors/expect-error.ts'
import { codeOf } from '../support/store.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { appendUpTo, eventOf, idsOf, logPath, openLog, SMALL_SEGMENTS, span } from './log-folder.ts'

test('an empty log begins with its first id, and says so when it is opened again', async (t) => {
  for (const [options, first] of [
    [{}, 1],
    [{ firstEventId: 700 }, 700],
    [{ firstEventId: 0 }, 0],
  ] as const) {
    const path = logPath(t)
    const log = await openLog(t, options, path)
    t.deepEqual([log.oldestEventId, log.newestEventId, log.nextEventId], [first, first - 1, first])
    t.is(log.get(first), undefined)
    t.deepEqual([...log.iterRange(0)], [])
    t.deepEqual(log.stats(), { eventCount: 0, oldestEventId: first, newestEventId: first - 1, totalBytes: log.stats().totalBytes, fileCount: 1 })
    await log.close()
    const again = await openLog(t, { firstEventId: 5 }, path)
    t.is(again.nextEventId, first, 'a log that is there keeps its ids')
    again.appendWithId(first, Buffer.from('first'))
    t.is(again.get(first)?.toString(), 'first')
    await again.close()
  }
})

test('events come back by id and in order, whatever their size, and after reopening', async (t) => {
  for (const compression of ['none', 'lz4', 'zstd'] as const) {
    const path = logPath(t)
    const log = await openLog(t, { ...SMALL_SEGMENTS, compression }, path)
    appendUpTo(log, 150)
    appendUpTo(log, 600, 64)
    const check = (reader: EventLog): void => {
      t.deepEqual(idsOf(reader.iterRange(0)), span(1, 600))
      t.deepEqual(idsOf(reader.iterRange(150, 155)), span(150, 154))
      t.deepEqual(idsOf(reader.iterRange(599, Infinity)), [599, 600])
      t.deepEqual([...reader.iterRange(601), ...reader.iterRange(9_999), ...reader.iterRange(7, 7), ...reader.iterRange(9, 3)], [])
      for (const id of [1, 11, 97, 150, 600]) t.true(reader.get(id)?.equals(eventOf(id)), `${id}`)
      t.deepEqual([reader.get(0), reader.get(601), reader.get(Number.MAX_SAFE_INTEGER)], [undefined, undefined, undefined])
      t.deepEqual([reader.oldestEventId, reader.newestEventId, reader.nextEventId, reader.stats().eventCount], [1, 600, 601, 600])
    }
    check(log)
    t.true(log.stats().fileCount > 1)
    t.deepEqual(log.recovery, { wasClosed: false })
    await log.close()
    const again = await openLog(t, undefined, path)
    check(again)
    t.deepEqual(again.recovery, { wasClosed: true })
    await again.close()
  }
})

test('an append that does not continue the log is ERR_EVENT_ID_GAP with what would have', async (t) => {
  const log = await openLog(t)
  appendUpTo(log, 3)
  for (const [call, actual] of [
    [() => log.appendWithId(3, Buffer.from('again')), 3],
    [() => log.appendWithId(5, Buffer.from('gap')), 5],
    [() => log.appendBatchWithIds(1, [Buffer.from('a'), Buffer.from('b')]), 1],
    [() => log.appendBatchWithIds(40, [Buffer.from('a')]), 40],
  ] as const) {
    expectError(t, await errorOf(call), { code: 'ERR_EVENT_ID_GAP', class: 'LedgerstoneError', fields: { expected: 4, actual } })
  }
  t.deepEqual(idsOf(log.iterRange(0)), [1, 2, 3])
  appendUpTo(log, 4)
})

test('ids end below 2^53', async (t) => {
  const first = Number.MAX_SAFE_INTEGER - 2
  const log = await openLog(t, { firstEventId: first })
  log.appendWithId(first, Buffer.from('last but one'))
  const error = await errorOf(() => log.appendBatchWithIds(first + 1, [Buffer.from('a'), Buffer.from('b')]))
  t.deepEqual([error.code, (error as unknown as { limit: string }).limit], ['ERR_LIMIT', 'eventId'])
  t.deepEqual(
    [...log.iterRange(0)].map(([id]) => id),
    [first],
  )
})

test('an event over the limit is ERR_LIMIT, and nothing of its batch is appended', async (t) => {
  const log = await openLog(t, { maxEventBytes: 100 })
  const expected = { code: 'ERR_LIMIT', class: 'LimitError', fields: { limit: 'maxEventBytes', size: 101, max: 100 } } as const
  expectError(t, await errorOf(() => log.appendWithId(1, Buffer.alloc(101))), expected)
  expectError(t, await errorOf(() => log.appendBatchWithIds(1, [Buffer.alloc(1), Buffer.alloc(101)])), expected)
  t.is(log.nextEventId, 1)
  log.appendWithId(1, Buffer.alloc(100))
  t.is(log.get(1)?.length, 100)
})

test('any Uint8Array is copied at the call', async (t) => {
  const log = await openLog(t)
  const memory = new SharedArrayBuffer(8)
  const shared = new Uint8Array(memory, 2, 3).fill(7)
  const part = new Uint8Array(16).fill(5).subarray(4, 7)
  log.appendWithId(1, shared)
  log.appendWithId(2, part)
  log.appendBatchWithIds(3, [shared, part, new Uint8Array(0)])
  shared.fill(0)
  part.fill(0)
  t.deepEqual(
    [...log.iterRange(0)].map(([, bytes]) => bytes.toString('hex')),
    ['070707', '050505', '070707', '050505', ''],
  )
  log.appendBatchWithIds(6, [])
  t.is(log.nextEventId, 6)
})

test('what was handed out is never written again', async (t) => {
  const log = await openLog(t)
  appendUpTo(log, 200)
  const kept = [...log.iterRange(1, 50), [60, log.get(60) as Buffer] as [number, Buffer]]
  for (let i = 0; i < 20; i++) idsOf(log.iterRange(0))
  for (const id of span(1, 200)) log.get(id)
  for (const [id, bytes] of kept) t.true(bytes.equals(eventOf(id)), `${id}`)
})

test('argument mistakes are told before anything happens, by throwing or by rejecting', async (t) => {
  const path = logPath(t)
  const mistakes: Record<string, readonly [argument: string, call: () => unknown]> = {
    'a folder of the wrong type': ['dir', () => EventLog.open(5 as never)],
    'an unknown option': ['colour', () => EventLog.open(path, { colour: 'red' } as never)],
    'options that are none': ['options', () => EventLog.open(path, 5 as never)],
    'segments too small': ['segmentBytes', () => EventLog.open(path, { segmentBytes: 1000 })],
    'segments of no size': ['segmentBytes', () => EventLog.open(path, { segmentBytes: 1.5 })],
    'events too large': ['maxEventBytes', () => EventLog.open(path, { maxEventBytes: 2 ** 31 })],
    'a first id that is none': ['firstEventId', () => EventLog.open(path, { firstEventId: -1 })],
    'a durability that is none': ['durability', () => EventLog.open(path, { durability: 'forever' as never })],
    'a compression that is none': ['compression', () => EventLog.open(path, { compression: 'zip' as never })],
    'a flag that is none': ['create', () => EventLog.open(path, { create: 1 as never })],
    'reading what is to be made': ['create', () => EventLog.open(path, { readOnly: true, create: true })],
  }
  for (const [what, [argument, call]] of Object.entries(mistakes)) {
    const promise = call() as Promise<unknown>
    expectError(t, await errorOf(() => promise), { code: 'ERR_INVALID_ARGUMENT', class: 'InvalidArgumentError', fields: { argument } })
    t.false(existsSync(path), what)
  }
  const log = await openLog(t, undefined, path)
  appendUpTo(log, 2)
  const later: Record<string, readonly [argument: string, call: () => unknown]> = {
    'no id': ['id', () => log.appendWithId(undefined as never, Buffer.alloc(1))],
    'an id as text': ['id', () => log.appendWithId('3' as never, Buffer.alloc(1))],
    'text as an event': ['bytes', () => log.appendWithId(3, 'text' as never)],
    'other memory as an event': ['bytes', () => log.appendWithId(3, new Float64Array(2) as never)],
    'no array of events': ['events', () => log.appendBatchWithIds(3, Buffer.alloc(3) as never)],
    'an event that is none': ['events', () => log.appendBatchWithIds(3, [Buffer.alloc(1), 5 as never])],
    'half an id': ['id', () => log.get(1.5)],
    'an id below zero': ['start', () => log.iterRange(-1)],
    'an end that is none': ['end', () => log.iterRange(1, NaN)],
    'a segment that is none': ['segment', () => log.checksum(undefined as never)],
    'a segment that is not there': ['segment', () => log.checksum({ firstEventId: 77 } as never)],
    'no range': ['start', () => log.deleteRange(undefined as never, 1)],
    'no end of a range': ['end', () => log.deleteRange(1, undefined as never)],
    'a range from the middle': ['start', () => log.deleteRange(2, 2)],
    'a range the wrong way round': ['start', () => log.deleteRange(1, 0)],
  }
  for (const [what, [argument, call]] of Object.entries(later)) {
    const error = await errorOf(call)
    t.deepEqual([error.code, (error as unknown as { argument: string }).argument], ['ERR_INVALID_ARGUMENT', argument], `${what}: ${error.message}`)
  }
  t.deepEqual(idsOf(log.iterRange(0)), [1, 2])
})

test('what returns a promise never throws', async (t) => {
  const log = await openLog(t)
  for (const call of [() => log.deleteRange('a' as never, 1), () => log.checksum(5 as never), () => EventLog.open('')]) {
    await t.throwsAsync(call(), { code: 'ERR_INVALID_ARGUMENT' }, call.toString())
  }
  await log.close()
  for (const call of [() => log.deleteRange(1, 1), () => log.rotate(), () => log.sync(), () => log.verify(), () => log.checksum({ firstEventId: 1 } as never)]) {
    await t.throwsAsync(call(), { code: 'ERR_CLOSED' }, call.toString())
  }
})

test('deleting takes the oldest events away, exactly and for good', async (t) => {
  const path = logPath(t)
  const log = await openLog(t, SMALL_SEGMENTS, path)
  appendUpTo(log, 300, 10)
  const { totalBytes } = log.stats()
  t.deepEqual([await log.deleteRange(1, 120), await log.deleteRange(0, 120), await log.deleteRange(100, 121)], [120, 0, 1])
  const check = (reader: EventLog): void => {
    t.deepEqual([reader.oldestEventId, reader.newestEventId, reader.stats().eventCount], [122, 300, 179])
    t.deepEqual([reader.get(121), reader.get(122)?.length], [undefined, eventOf(122).length])
    t.deepEqual(idsOf(reader.iterRange(0)), span(122, 300))
    t.true(reader.stats().totalBytes < totalBytes)
  }
  check(log)
  expectError(t, await errorOf(() => [...log.iterRange(5, 200)]), { code: 'ERR_EVENTS_TRIMMED', class: 'EventsTrimmedError', fields: { requested: 5, oldest: 122 } })
  await log.close()
  const again = await openLog(t, SMALL_SEGMENTS, path)
  check(again)
  t.is(await again.deleteRange(0, Number.MAX_SAFE_INTEGER), 179)
  t.deepEqual([again.oldestEventId, again.newestEventId, again.nextEventId, again.stats().eventCount], [301, 300, 301, 0])
  appendUpTo(again, 301)
  t.deepEqual(idsOf(again.iterRange(0)), [301])
})

test('rotating closes the segment with all that was appended, and tells its path', async (t) => {
  const log = await openLog(t)
  t.is(await log.rotate(), undefined, 'there is no event')
  appendUpTo(log, 10)
  t.deepEqual(log.segments(), [])
  const first = (await log.rotate()) as string
  t.is(await log.rotate(), first, 'nothing was appended since')
  appendUpTo(log, 15)
  const second = (await log.rotate()) as string
  t.deepEqual(
    log.segments().map(({ path, firstEventId, lastEventId }) => [path, firstEventId, lastEventId]),
    [
      [first, 1, 10],
      [second, 11, 15],
    ],
  )
  t.deepEqual([existsSync(first), existsSync(second), log.stats().fileCount], [true, true, 3])
  t.deepEqual(idsOf(log.iterRange(0)), span(1, 15))
  await log.deleteRange(1, 15)
  t.is(await log.rotate(), undefined, 'all are deleted')
})

test('a missing log is ERR_NOT_FOUND when it is not to be made', async (t) => {
  const path = logPath(t)
  for (const options of [{ create: false }, { readOnly: true }]) {
    expectError(t, await errorOf(() => EventLog.open(path, options)), { code: 'ERR_NOT_FOUND', class: 'LedgerstoneError', fields: { path } })
    t.false(existsSync(path))
  }
  const empty = temporaryFolder(t)
  t.is(await codeOf(() => EventLog.open(empty, { create: false })), 'ERR_NOT_FOUND')
  await (await EventLog.open(pathToFileURL(path))).close()
  const log = await openLog(t, { create: false }, path)
  t.is(log.path, path)
})

test('after close all use is ERR_CLOSED, getters included; closing twice is harmless', async (t) => {
  const log = await openLog(t)
  appendUpTo(log, 200)
  const waiting = log.iterRange(0)
  const begun = log.iterRange(0)[Symbol.iterator]()
  begun.next()
  const closing = log.close()
  await log.close()
  await closing
  await log[Symbol.asyncDispose]()
  const calls: (() => unknown)[] = [
    () => log.nextEventId,
    () => log.oldestEventId,
    () => log.newestEventId,
    () => log.path,
    () => log.recovery,
    () => log.stats(),
    () => log.segments(),
    () => log.get(1),
    () => log.iterRange(0),
    () => log.appendWithId(201, Buffer.alloc(1)),
    () => log.appendBatchWithIds(201, []),
    () => begun.next(),
    () => [...waiting],
    () => log.sync(),
    () => log.rotate(),
    () => log.verify(),
    () => log.deleteRange(1, 1),
  ]
  for (const call of calls) t.is(await codeOf(call), 'ERR_CLOSED', call.toString())
  t.deepEqual(begun.next(), { value: undefined, done: true }, 'and it has ended by that')
})

test('what is under way when the log is closed settles', async (t) => {
  const log = await openLog(t, SMALL_SEGMENTS)
  appendUpTo(log, 2_000, 100)
  const calls = [log.sync(), log.rotate(), log.deleteRange(1, 10), log.verify(), log.close()]
  for (const outcome of await Promise.allSettled(calls)) {
    if (outcome.status === 'rejected') t.is((outcome.reason as { code: string }).code, 'ERR_CLOSED')
  }
})

test('an iteration gives what there was when it began, also while the log goes on', async (t) => {
  const log = await openLog(t, SMALL_SEGMENTS)
  appendUpTo(log, 400, 20)
  const seen: number[] = []
  for (const [id, bytes] of log.iterRange(0)) {
    t.true(bytes.equals(eventOf(id)))
    seen.push(id)
    if (id % 40 === 0) appendUpTo(log, log.nextEventId + 5)
    if (id % 100 === 0) await log.rotate()
    if (id === 200) await log.deleteRange(0, 150)
  }
  t.deepEqual(seen, span(1, 400))
  t.deepEqual(idsOf(log.iterRange(0)), span(151, log.newestEventId))

  const events = log.iterRange(0)
  const overtaken = events[Symbol.iterator]()
  t.deepEqual(overtaken.next().value?.[0], 151)
  await log.deleteRange(0, 390)
  const error = t.throws(
    () => {
      while (overtaken.next().done !== true);
    },
    { instanceOf: EventsTrimmedError },
  )
  t.deepEqual([error.oldest, error.requested > 151 && error.requested <= 390], [391, true])
  t.deepEqual(overtaken.next(), { value: undefined, done: true })
  t.is(idsOf(events)[0], 391, 'the view begins anew')
})

test('verify finds nothing wrong while appending goes on, and damage when there is some', async (t) => {
  const log = await openLog(t, SMALL_SEGMENTS)
  appendUpTo(log, 500, 10)
  const verifying = log.verify()
  appendUpTo(log, 600)
  const { ok, problems, checked } = await verifying
  t.deepEqual([ok, problems], [true, []])
  t.true(checked.events >= 500 && checked.files > 1 && checked.bytes > 100_000 && checked.entries === 0, JSON.stringify(checked))
})

test('a newer format is ERR_FORMAT', async (t) => {
  const path = logPath(t)
  await (await openLog(t, undefined, path)).close()
  const file = join(path, 'IDENTITY')
  const bytes = readFileSync(file)
  bytes.writeUInt16LE(2, 8)
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, -4)), bytes.length - 4)
  writeFileSync(file, bytes)
  for (const options of [{}, { readOnly: true }]) {
    expectError(t, await errorOf(() => EventLog.open(path, options)), { code: 'ERR_FORMAT', class: 'FormatError', fields: { found: 2, supported: 1 } })
  }
})

test('a folder that holds something else is left alone', async (t) => {
  const path = logPath(t)
  mkdirSync(join(path, 'something else'), { recursive: true })
  const log = await openLog(t, undefined, path)
  appendUpTo(log, 3)
  await log.close()
  t.true(existsSync(join(path, 'something else')))
})

// Bug: an accessor in a batch that gave something else the second time made the batch unreadable, or threw a raw RangeError. Mechanism: the array was read once
// to be measured and once to be copied, into memory that was not zeroed. Fix: it is read once.
test('a batch is what its array was when it was looked at', async (t) => {
  for (const [first, second] of [
    [4096, 1],
    [1, 4096],
  ] as const) {
    const log = await openLog(t)
    let reads = 0
    const events = Object.defineProperty([], 0, { enumerable: true, get: () => Buffer.alloc(reads++ === 0 ? first : second, 1) }) as Uint8Array[]
    log.appendBatchWithIds(log.nextEventId, events)
    t.deepEqual(
      [...log.iterRange(0)].map(([, bytes]) => bytes.length),
      [first],
    )
    await log.close()
  }
})
