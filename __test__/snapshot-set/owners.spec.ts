// The owner of a set, and how the set is given back: one owner at a time over threads and processes, and none that has ended. Elsewhere the lock was taken after
// the folder was scanned.
import test from 'ava'
import { FileSnapshotSet } from '../../src/snapshot-set/index.ts'
import { errorOf, expectError } from '../errors/expect-error.ts'
import { Child, runChild } from '../support/child.ts'
import { openSet, publish, setPath, short } from './set-folder.ts'

const SCENES = new URL('set-scenes.ts', import.meta.url)

async function scene(t: { teardown(fn: () => unknown): void }, name: string, ...nodeArgs: string[]): Promise<readonly string[]> {
  const ended = await runChild(SCENES, { args: [name, setPath(t)], nodeArgs })
  if (ended.code !== 0 || ended.hung) throw new Error(`${name}: code ${ended.code} ${ended.signal}, hung ${ended.hung}: ${ended.stderr}`)
  return ended.reports
}

test('a second owner in the same thread is ERR_LOCKED with the pid, and does no harm', async (t) => {
  const path = setPath(t)
  const set = await openSet(t, path)
  expectError(t, await errorOf(() => FileSnapshotSet.open(path)), { code: 'ERR_LOCKED', class: 'LockedError', fields: { path, pid: process.pid } })
  await publish(set, 1)
  await set.close()
  t.deepEqual(short((await openSet(t, path)).snapshotsToRestore()), ['1 full'])
})

test('another process is refused with the pid of the owner, until that is killed', async (t) => {
  const path = setPath(t)
  const child = new Child(SCENES, { args: ['holds', path] })
  await child.reported('open')
  expectError(t, await errorOf(() => FileSnapshotSet.open(path)), { code: 'ERR_LOCKED', class: 'LockedError', fields: { path, pid: child.process.pid } })
  child.kill('SIGKILL')
  await child.ended
  t.deepEqual(short((await openSet(t, path)).snapshotsToRestore()), ['1 full'])
})

test('another thread is refused too, and the end of a worker gives its set back', async (t) => {
  t.deepEqual(await scene(t, 'worker-holds'), ['ERR_LOCKED own pid', 'free'])
})

test('a worker that is terminated in the middle leaves a set that opens and restores', async (t) => {
  const [rounds] = await scene(t, 'terminated')
  t.is(rounds, 'whole 12 of 12')
})

test('a forgotten set is closed in the background, with one warning', async (t) => {
  const [warning, reopened] = await scene(t, 'forgotten', '--expose-gc')
  t.is(warning, 'LEDGERSTONE_UNRELEASED a snapshot set was garbage-collected without close(); it has been released in the background')
  t.is(reopened, '1 full')
})

test('an open set keeps no process alive, and none from ending', async (t) => {
  t.deepEqual(await scene(t, 'idle'), ['open'])
  t.deepEqual(await scene(t, 'exits-with-a-call-under-way'), [])
})
