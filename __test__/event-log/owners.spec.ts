// The owner of a log, and how the log is given back: one owner at a time over threads and processes, and none that has ended. Elsewhere a terminated worker
// kept its lock for the life of the process, or a forgotten handle did.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { EventLog } from '../../src/event-log/index.ts'
import { errorOf, expectError } from '../errors/expect-error.ts'
import { Child, runChild } from '../support/child.ts'
import { appendUpTo, idsOf, logPath, openLog } from './log-folder.ts'

const SCENES = new URL('log-scenes.ts', import.meta.url)

async function scene(t: { teardown(fn: () => unknown): void }, name: string, ...nodeArgs: string[]): Promise<readonly string[]> {
  const ended = await runChild(SCENES, { args: [name, logPath(t)], nodeArgs })
  if (ended.code !== 0 || ended.hung) throw new Error(`${name}: code ${ended.code} ${ended.signal}, hung ${ended.hung}: ${ended.stderr}`)
  return ended.reports
}

test('a second owner in the same thread is ERR_LOCKED with the pid, and does no harm', async (t) => {
  const log = await openLog(t)
  appendUpTo(log, 10)
  for (const options of [{}, { create: false }]) {
    const error = await errorOf(() => EventLog.open(log.path, options))
    expectError(t, error, { code: 'ERR_LOCKED', class: 'LockedError', fields: { path: log.path, pid: process.pid } })
  }
  appendUpTo(log, 20)
  const { path } = log
  await log.close()
  const again = await openLog(t, undefined, path)
  t.is(again.newestEventId, 20)
})

test('another process is refused with the pid of the owner, until that is killed', async (t) => {
  const path = logPath(t)
  const child = new Child(SCENES, { args: ['holds', path] })
  await child.reported('open')
  const error = await errorOf(() => EventLog.open(path))
  expectError(t, error, { code: 'ERR_LOCKED', class: 'LockedError', fields: { path, pid: child.process.pid } })
  child.kill('SIGKILL')
  await child.ended
  const log = await openLog(t, undefined, path)
  appendUpTo(log, 5)
  t.deepEqual(idsOf(log.iterRange(0)), [1, 2, 3, 4, 5])
})

// Bug: `LockedError.pid` was declared as always there, and was not when the hint beside the lock was missing. Mechanism: the hint was the only source. Fix: the
// system is asked too, where it tells, and the type says that nobody may know.
test('without the hint beside the lock the system says whose it is, or nobody does', async (t) => {
  const path = logPath(t)
  const child = new Child(SCENES, { args: ['holds', path] })
  await child.reported('open')
  const knows = process.platform === 'linux'
  for (const harm of [(hint: string) => writeFileSync(hint, 'call me'), (hint: string) => rmSync(hint)]) {
    harm(join(path, 'LOCK.owner'))
    const error = await errorOf(() => EventLog.open(path))
    expectError(t, error, { code: 'ERR_LOCKED', class: 'LockedError', fields: { path, ...(knows ? { pid: child.process.pid } : {}) } })
    t.is('pid' in (error as object), knows)
  }
  child.kill('SIGKILL')
  await child.ended

  const log = await openLog(t)
  rmSync(join(log.path, 'LOCK.owner'))
  expectError(t, await errorOf(() => EventLog.open(log.path)), {
    code: 'ERR_LOCKED',
    class: 'LockedError',
    fields: { path: log.path, ...(knows ? { pid: process.pid } : {}) },
  })
})

test('another thread is refused too, and the end of a worker gives its log back', async (t) => {
  t.deepEqual(await scene(t, 'worker-holds'), ['ERR_LOCKED own pid', 'terminated'])
  t.deepEqual(await scene(t, 'worker-ends'), ['3 events, closed: true'])
})

test('a worker that is terminated in the middle loses nothing and leaves nothing behind', async (t) => {
  const [closed] = await scene(t, 'terminated')
  t.regex(closed ?? '', /^closed 12 of 12$/)
})

test('a forgotten log is closed in the background, with one warning; not while it is iterated', async (t) => {
  const [iterated, warning, reopened] = await scene(t, 'forgotten', '--expose-gc')
  t.is(iterated, '400 0')
  t.is(warning, 'LEDGERSTONE_UNRELEASED a log was garbage-collected without close(); it has been released in the background')
  t.is(reopened, '500 closed: true')
})

test('an open log keeps no process alive, and none from ending', async (t) => {
  t.deepEqual(await scene(t, 'idle'), ['open'])
  t.deepEqual(await scene(t, 'exits-with-a-call-under-way'), [])
})
