// Archives: closed segments are copied as files, deleted from the log, and read in a folder where nothing is changed by it.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import test from 'ava'
import { EventLog } from '../../src/event-log/index.ts'
import { crc32c } from '../crash/crc32c.ts'
import { errorOf } from '../errors/expect-error.ts'
import { codeOf } from '../support/store.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { appendUpTo, eventOf, idsOf, openLog, SMALL_SEGMENTS, span } from './log-folder.ts'

/** Each file with its size, its time and its bytes. */
function contents(folder: string): [string, number, number, string][] {
  return readdirSync(folder)
    .toSorted()
    .map((name) => {
      const { size, mtimeMs } = statSync(join(folder, name))
      return [name, size, mtimeMs, readFileSync(join(folder, name)).toString('base64')]
    })
}

test('rotate, copy, delete: the events are in the archive, and the log goes on', async (t) => {
  const archive = join(temporaryFolder(t), 'archive')
  mkdirSync(archive)
  const log = await openLog(t, SMALL_SEGMENTS)
  appendUpTo(log, 500, 20)
  await log.rotate()
  appendUpTo(log, 520)
  const segments = log.segments()
  t.true(segments.length > 2)
  t.deepEqual([segments[0]?.firstEventId, segments.at(-1)?.lastEventId], [1, 500])
  for (const [i, segment] of segments.entries()) {
    const copy = join(archive, basename(segment.path))
    copyFileSync(segment.path, copy)
    t.deepEqual([statSync(copy).size, crc32c(readFileSync(copy))], [segment.bytes, await log.checksum(segment)])
    t.is(segment.firstEventId, (segments[i - 1]?.lastEventId ?? 0) + 1)
    t.true(segment.lastTimestamp > Date.now() - 600_000 && segment.lastTimestamp <= Date.now())
  }
  t.is(await log.deleteRange(0, 500), 500)
  t.is(await codeOf(() => log.checksum(segments[0] as never)), 'ERR_INVALID_ARGUMENT')
  t.deepEqual([idsOf(log.iterRange(0)), log.segments()], [span(501, 520), []])

  const before = contents(archive)
  const old = await openLog(t, { readOnly: true }, archive)
  t.deepEqual(idsOf(old.iterRange(0)), span(1, 500))
  t.deepEqual([old.oldestEventId, old.nextEventId, old.stats().eventCount, old.stats().fileCount], [1, 501, 500, segments.length])
  t.true(old.get(97)?.equals(eventOf(97)))
  t.true((await old.verify()).ok)
  for (const call of [
    () => old.appendWithId(501, Buffer.alloc(1)),
    () => old.appendBatchWithIds(501, [Buffer.alloc(1)]),
    () => old.rotate(),
    () => old.deleteRange(1, 5),
  ]) {
    const error = await errorOf(call)
    t.deepEqual([error.code, (error as unknown as { argument: string }).argument], ['ERR_INVALID_ARGUMENT', 'readOnly'], call.toString())
  }
  const second = await EventLog.open(archive, { readOnly: true })
  t.is(second.nextEventId, 501, 'any number may read')
  await Promise.all([old.close(), second.close()])
  t.deepEqual(contents(archive), before)
})

test('a part of an archive is read too; one with a gap is ERR_CORRUPT', async (t) => {
  const archive = join(temporaryFolder(t), 'archive')
  mkdirSync(archive)
  const log = await openLog(t, SMALL_SEGMENTS)
  appendUpTo(log, 600, 20)
  const segments = log.segments()
  for (const { path } of segments.slice(1)) copyFileSync(path, join(archive, basename(path)))
  const [first, second, third] = segments as [(typeof segments)[0], (typeof segments)[0], (typeof segments)[0]]
  const part = await openLog(t, { readOnly: true }, archive)
  t.deepEqual([part.oldestEventId, part.newestEventId], [second.firstEventId, segments.at(-1)?.lastEventId])
  t.deepEqual(idsOf(part.iterRange(0)), span(second.firstEventId, part.newestEventId))
  t.is(part.get(first.lastEventId), undefined)
  t.is(await codeOf(() => [...part.iterRange(1)]), 'ERR_EVENTS_TRIMMED')
  await part.close()
  copyFileSync(first.path, join(archive, basename(first.path)))
  rmSync(join(archive, basename(third.path)))
  t.is(await codeOf(() => EventLog.open(archive, { readOnly: true })), 'ERR_CORRUPT')
})

test('a log that was closed, or that another has open, is read as it is', async (t) => {
  const log = await openLog(t)
  appendUpTo(log, 50)
  const reader = await openLog(t, { readOnly: true }, log.path)
  t.deepEqual([idsOf(reader.iterRange(0)), reader.recovery], [span(1, 50), { wasClosed: false }])
  appendUpTo(log, 60)
  t.is(reader.nextEventId, 51)
  const { path } = log
  await Promise.all([log.close(), reader.close()])
  const before = contents(path)
  const closed = await openLog(t, { readOnly: true }, path)
  t.deepEqual([idsOf(closed.iterRange(0)), closed.recovery], [span(1, 60), { wasClosed: true }])
  await closed.close()
  t.deepEqual(contents(path), before)
})
