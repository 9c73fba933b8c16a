// Trimming, retention and rotation: exact counts, flushed or not, and an error for every read below the horizon.
import { copyFileSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import test from 'ava'
import { EventLog, type EventSegment } from '../../src/event-log/index.ts'
import { EventsTrimmedError, type CanonicalStore } from '../../src/index.ts'
import { crc32c } from '../crash/crc32c.ts'
import { expectError } from '../errors/expect-error.ts'
import { Child } from '../support/child.ts'
import { Random, runSeed } from '../support/random.ts'
import { codeOf, openStore, storePath } from '../support/store.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const SMALL = { segmentBytes: 64 * 1024, flush: { bytes: 64 * 1024, intervalMs: 60_000 } }
const upTo = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i)
const ids = (events: Iterable<{ id: number }>): number[] => [...events].map(({ id }) => id)
const segments = (store: CanonicalStore): string[] => readdirSync(join(store.path, 'events')).filter((name) => name.endsWith('.log'))

/** Appends so many events of about a kilobyte. */
async function fill(store: CanonicalStore, count: number): Promise<void> {
  for (let n = 0; n < count; n += 50) await store.appendAll(upTo(n, Math.min(n + 50, count) - 1).map((i) => `${i} ${'x'.repeat(1000)}`))
}

for (const flushed of [false, true]) {
  test(`exactly the events below the id go, ${flushed ? 'flushed' : 'in memory'}, and stay away after reopening`, async (t) => {
    const store = await openStore(t, SMALL)
    await store.append(upTo(1, 10))
    if (flushed) await store.flush()
    t.is(await store.trimEvents({ before: 1 }), 0)
    t.is(await store.trimEvents({ before: 4 }), 3)
    t.is(await store.trimEvents({ before: 4 }), 0)
    t.is(await store.trimEvents({ before: 2 }), 0)
    t.is(store.oldestEventId, 4)
    t.deepEqual(ids(store.events()), upTo(4, 10))
    t.deepEqual(store.stats().events.count, 7)
    t.is(store.event(3), undefined)
    t.is(store.event(4)?.event, 4)
    t.deepEqual(ids(store.events({ reverse: true, limit: 100 })), upTo(4, 10).toReversed())
    t.deepEqual(ids(store.events({ after: 0, to: 6 })), [4, 5])
    t.is(store.events({ since: 0 }).count(), 7)
    await store.close()
    const again = await openStore(t, SMALL, store.path)
    t.is(again.oldestEventId, 4)
    t.deepEqual(ids(again.events()), upTo(4, 10))
    t.is(await again.trimEvents({ before: 1000 }), 7, 'beyond the end: all')
    t.deepEqual([again.oldestEventId, again.nextEventId, again.stats().events.count], [11, 11, 0])
    await again.append('next')
    t.deepEqual(ids(again.events()), [11])
    t.true((await again.verify()).ok)
    await again.close()
    const third = await openStore(t, SMALL, store.path)
    t.deepEqual(ids(third.events()), [11])
  })
}

test('reading below the oldest event is ERR_EVENTS_TRIMMED, with the oldest', async (t) => {
  const store = await openStore(t)
  await store.append(upTo(1, 10))
  await store.trimEvents({ before: 5 })
  const error = t.throws(() => [...store.events({ from: 3 })], { instanceOf: EventsTrimmedError })
  expectError(t, error, { code: 'ERR_EVENTS_TRIMMED', class: 'EventsTrimmedError', fields: { requested: 3, oldest: 5 } })
  t.throws(() => [...store.events({ after: 3 })], { code: 'ERR_EVENTS_TRIMMED' })
  t.throws(() => store.events({ from: 1 }).count(), { code: 'ERR_EVENTS_TRIMMED' })
  t.is(await codeOf(() => store.follow({ from: 4 })[Symbol.asyncIterator]().next()), 'ERR_EVENTS_TRIMMED')
  t.is(await codeOf(() => store.follow({ after: 1 })[Symbol.asyncIterator]().next()), 'ERR_EVENTS_TRIMMED')
  t.deepEqual(ids(store.events({ from: 5, limit: 1 })), [5])
})

test('an iteration, a snapshot and a follower that are overtaken by trimming are told, and never skip', async (t) => {
  const store = await openStore(t, SMALL)
  await fill(store, 1000)
  await store.flush()
  const forward = store.events()[Symbol.iterator]()
  const backward = store.events({ reverse: true })[Symbol.iterator]()
  const follower = store.follow({ durability: 'applied', batch: 10 })[Symbol.asyncIterator]()
  const snapshot = store.snapshot()
  for (const iterator of [forward, backward]) iterator.next()
  await follower.next()
  await store.trimEvents({ before: 900 })
  const rest = (iterator: Iterator<{ id: number }>): number[] => {
    const seen: number[] = []
    try {
      for (let step = iterator.next(); step.done !== true; step = iterator.next()) seen.push(step.value.id)
    } catch (error) {
      t.is((error as { code: string }).code, 'ERR_EVENTS_TRIMMED')
      return seen
    }
    t.fail('it came to an end')
    return seen
  }
  const ahead = rest(forward)
  t.deepEqual(ahead, upTo(2, ahead.length + 1), 'what the page held, then the error')
  const behind = rest(backward)
  t.deepEqual(behind, upTo(1000 - behind.length, 999).toReversed())
  t.true((behind.at(-1) as number) <= 900, 'everything that is kept comes before the error')
  t.throws(() => ids(snapshot.events()), { code: 'ERR_EVENTS_TRIMMED' })
  t.deepEqual(ids(snapshot.events({ from: 995 })), upTo(995, 1000))
  snapshot.release()
  let code: unknown
  while (code === undefined) code = await codeOf(() => follower.next())
  t.is(code, 'ERR_EVENTS_TRIMMED')
})

test('the space comes back by segments, without a flush', async (t) => {
  const store = await openStore(t, SMALL)
  await fill(store, 1000)
  await store.flush()
  const before = segments(store)
  t.true(before.length > 10)
  await store.trimEvents({ before: 700 })
  const after = segments(store)
  t.true(after.length < before.length - 8, `${before.length} → ${after.length}`)
  t.is(store.stats().events.segments, after.length)
  t.true(store.stats().events.bytes < after.length * 70_000)
  t.deepEqual(ids(store.events()), upTo(700, 1000))
  await store.trimEvents({ before: 1001 })
  t.is(segments(store).length, 1)
  t.true((await store.verify()).ok)
})

test('a trim is durable when it resolves: it survives a kill', async (t) => {
  const path = storePath(t)
  const child = new Child(new URL('trimming.ts', import.meta.url), { args: [path] })
  await child.reported('trimmed')
  child.kill('SIGKILL')
  await child.ended
  const store = await openStore(t, SMALL, path)
  t.is(store.oldestEventId, 301)
  t.is(ids(store.events()).length, store.nextEventId - 301)
  t.true((await store.verify()).ok)
})

test('random trims, appends, flushes and reopenings agree with an array', async (t) => {
  const seed = runSeed()
  t.log(`seed ${seed}`)
  const random = new Random(seed)
  let store = await openStore(t, SMALL)
  let oldest = 1
  let next = 1
  for (let round = 0; round < 150; round++) {
    const dice = random.below(10)
    if (dice < 4) {
      const count = 1 + random.below(60)
      await store.appendAll(upTo(next, next + count - 1).map((n) => `${n} ${'x'.repeat(random.below(1500))}`))
      next += count
    } else if (dice < 7) {
      const before = random.below(next + 3)
      const dropped = Math.max(0, Math.min(before, next) - oldest)
      t.is(await store.trimEvents({ before }), dropped)
      oldest += dropped
    } else if (dice === 7) {
      await store.flush()
    } else if (dice === 8) {
      const path = await store.rotateEvents()
      if (next > oldest) t.true(path !== undefined && existsSync(path))
      else t.is(path, undefined)
    } else if (random.oneIn(3)) {
      await store.close()
      store = await openStore(t, SMALL, store.path)
    }
    t.deepEqual([store.oldestEventId, store.nextEventId, store.stats().events.count], [oldest, next, next - oldest])
    if (round % 10 === 0) t.deepEqual(ids(store.events()), upTo(oldest, next - 1))
  }
  for (const { id, event } of store.events()) if (Number((event as string).split(' ')[0]) !== id) t.fail(`event ${id}`)
  t.true((await store.verify()).ok)
})

// Bug: events appended after a trim beyond the end were gone after reopening. Mechanism: the log's horizon was moved to the id that was asked
// for, which no event had yet. Fix: a trim ends with the newest event.
test('a trim far beyond the end takes nothing from what comes later', async (t) => {
  const store = await openStore(t, SMALL)
  await fill(store, 200)
  await store.flush()
  t.is(await store.trimEvents({ before: 1_000_000 }), 200)
  await fill(store, 200)
  await store.flush()
  t.deepEqual(ids(store.events()), upTo(201, 400))
  await store.close()
  const again = await openStore(t, SMALL, store.path)
  t.deepEqual(ids(again.events()), upTo(201, 400))
  t.is(again.oldestEventId, 201)
})

test('retention drops whole segments at a flush, by count, bytes and age', async (t) => {
  for (const [name, retention, keeps] of [
    ['maxEvents', { maxEvents: 200 }, (store: CanonicalStore) => store.stats().events.count >= 200 && store.stats().events.count < 400],
    ['maxBytes', { maxBytes: 300_000 }, (store: CanonicalStore) => store.stats().events.bytes < 500_000 && store.stats().events.count > 50],
    ['maxAgeMs', { maxAgeMs: 0 }, (store: CanonicalStore) => store.stats().events.count < 300],
  ] as const) {
    const store = await openStore(t, { ...SMALL, retention })
    for (let n = 0; n < 10; n++) {
      await fill(store, 100)
      await store.flush()
    }
    await store.flush()
    t.true(keeps(store), `${name}: ${JSON.stringify(store.stats().events)}`)
    t.is(store.nextEventId, 1001)
    t.is(store.stats().events.leadMs, 0)
    t.deepEqual(ids(store.events()), upTo(store.oldestEventId, 1000))
    const { oldestEventId } = store
    await store.seal()
    await store.flush()
    t.is(store.oldestEventId, oldestEventId, 'not while sealed')
    await store.close()
    const again = await openStore(t, SMALL, store.path)
    t.is(again.oldestEventId, oldestEventId)
    t.true((await again.verify()).ok)
  }
})

test('wrong options are argument mistakes, and contradicting ones a mismatch', async (t) => {
  for (const options of [{ retention: { maxEvents: -1 } }, { retention: { maxDays: 1 } }, { retention: 5 }, { eventCompression: 'gzip' }]) {
    t.is(await codeOf(() => openStore(t, options as never)), 'ERR_INVALID_ARGUMENT', JSON.stringify(options))
  }
  const store = await openStore(t, { retention: { maxEvents: 10 }, eventCompression: 'lz4' })
  for (const options of [{ retention: { maxEvents: 11 } }, { retention: { maxBytes: 11 } }, { eventCompression: 'zstd' }] as const) {
    t.is(await codeOf(() => openStore(t, options, store.path)), 'ERR_OPTIONS_MISMATCH', JSON.stringify(options))
  }
  await openStore(t, { retention: { maxEvents: 10 }, eventCompression: 'lz4' }, store.path)
  for (const range of [undefined, {}, { before: -1 }, { before: 1.5 }, { after: 1 }, 5]) {
    t.is(await codeOf(() => store.trimEvents(range as never)), 'ERR_INVALID_ARGUMENT', JSON.stringify(range))
  }
})

test('a rotated segment does not change any more', async (t) => {
  const store = await openStore(t, SMALL)
  t.is(await store.rotateEvents(), undefined, 'there is no event')
  await store.append(upTo(1, 10))
  const path = (await store.rotateEvents()) as string
  t.is(basename(path), 'events-00000000000000000001.log')
  const { size, mtimeMs } = statSync(path)
  const archived = join(temporaryFolder(t), basename(path))
  copyFileSync(path, archived)
  t.is(await store.rotateEvents(), path, 'nothing has come since')
  await fill(store, 100)
  await store.flush()
  t.deepEqual([statSync(path).size, statSync(path).mtimeMs], [size, mtimeMs])
  t.is(basename((await store.rotateEvents()) as string) > basename(path), true)
  t.deepEqual(ids(store.events()), upTo(1, 110))
  await store.trimEvents({ before: 111 })
  t.is(await store.rotateEvents(), undefined, 'all are trimmed')
})

test('closed segments are held for the archive, which reads on its own', async (t) => {
  const store = await openStore(t, SMALL)
  await fill(store, 300)
  await store.rotateEvents()
  const archive = temporaryFolder(t)
  const held = store.eventSegments()
  const [first, ...others] = [...held]
  t.is(await store.trimEvents({ before: 1000 }), 300)
  t.true(others.length > 3)
  t.is(first?.firstEventId, 1)
  t.is(others.at(-1)?.lastEventId, 300)
  for (const segment of held) {
    const file = readFileSync(segment.path)
    t.deepEqual([file.length, crc32c(file)], [segment.bytes, await held.checksum(segment)])
    copyFileSync(segment.path, join(archive, basename(segment.path)))
  }
  await t.throwsAsync(held.checksum({ ...first } as EventSegment), { code: 'ERR_INVALID_ARGUMENT' })
  held.release()
  held.release()
  t.throws(() => [...held], { code: 'ERR_CLOSED' })
  await t.throwsAsync(held.checksum(first as EventSegment), { code: 'ERR_CLOSED' })
  t.is(segments(store).length, 1, 'and then they go')
  t.deepEqual([...store.eventSegments()], [])
  const log = await EventLog.open(archive, { readOnly: true })
  t.teardown(() => log.close())
  t.deepEqual([log.oldestEventId, log.newestEventId], [1, 300])
  t.true(log.get(299)?.toString().startsWith('"298 x'))
})

test('compressed events take less room and read the same, whatever is chosen later', async (t) => {
  const sizes: number[] = []
  const path = storePath(t)
  let count = 0
  for (const eventCompression of ['none', 'lz4', 'zstd', 'none'] as const) {
    const store = await openStore(t, { ...SMALL, eventCompression }, path)
    const before = store.stats().events.bytes
    await store.appendAll(upTo(1, 200).map((n) => ({ n, text: 'the same text again and again '.repeat(20) })))
    await store.flush()
    sizes.push(store.stats().events.bytes - before)
    count += 200
    t.deepEqual(ids(store.events()), upTo(1, count))
    t.true([...store.events()].every(({ id, event }) => (event as { n: number }).n === ((id - 1) % 200) + 1))
    await store.close()
  }
  t.true((sizes[1] as number) < (sizes[0] as number) / 3 && (sizes[2] as number) < (sizes[0] as number) / 3, JSON.stringify(sizes))
})
