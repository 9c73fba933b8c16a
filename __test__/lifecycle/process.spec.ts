// How a process ends with a store open: what survives, what keeps it alive, what does not, and what the garbage collector gives back.
import test from 'ava'
import { open } from 'ledgerstone'
import { Child, type Ended, runChild } from '../support/child.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const SCENES = new URL('process-scenes.ts', import.meta.url)
const COMMITS = 500

function play(scene: string, path: string): Promise<Ended> {
  return runChild(SCENES, { args: [scene, path], nodeArgs: ['--expose-gc'] })
}

for (const [scene, exitCode] of [
  ['exit with commits pending', 0],
  ['uncaught exception with commits pending', 1],
  ['uncaught exception in a callback with commits pending', 1],
  ['unhandled rejection with commits pending', 1],
] as const) {
  test.serial(`${scene}: all that was applied is there afterwards`, async (t) => {
    const path = temporaryFolder(t)
    const ended = await play(scene, path)
    t.is(ended.code, exitCode)
    t.deepEqual(ended.reports, scene === 'exit with commits pending' ? ['applied', `written ${COMMITS} of ${COMMITS}`] : ['applied'])
    const store = await open(path)
    t.is(store.state.get('n'), COMMITS)
    t.is(store.nextEventId, COMMITS + 1)
    await store.close()
  })
}

test.serial('exit while waiting for durable: what was applied is there', async (t) => {
  const path = temporaryFolder(t)
  const ended = await play('exit while waiting for durable', path)
  t.deepEqual([ended.code, ended.stderr], [0, ''])
  const store = await open(path)
  t.is(store.state.get('n'), COMMITS)
  await store.close()
})

// Bug: a few openings that hung (a dead disk) stopped files, names and cryptography of the whole process. Mechanism: they ran on Node's
// pool of four threads. Fix: opening and closing have threads of the engine; so they also work while the pool is taken by others.
test.serial('opening and closing need no thread of the pool of Node', async (t) => {
  const ended = await play('the pool is taken', temporaryFolder(t))
  t.deepEqual([ended.code, ended.hung, ended.stderr, ended.reports], [0, false, '', ['opened and closed']])
})

for (const scene of ['idle', 'opened and never used']) {
  test.serial(`a store that is ${scene} lets the process end`, async (t) => {
    const ended = await play(scene, temporaryFolder(t))
    t.deepEqual([ended.code, ended.hung, ended.stderr, ended.reports], [0, false, '', ['idle']])
  })
}

test.serial('a commit that is not yet durable keeps the process alive until it is, and no longer', async (t) => {
  const path = temporaryFolder(t)
  const ended = await play('busy', path)
  t.deepEqual([ended.code, ended.hung, ended.stderr], [0, false, ''])
  const { applied, durable } = JSON.parse((ended.reports.at(-1) as string).slice('at exit: '.length)) as { applied: number; durable: number }
  t.deepEqual([applied, durable], [COMMITS, COMMITS])
})

test.serial('a closing that nobody waits for keeps the process alive until it is done', async (t) => {
  const path = temporaryFolder(t)
  const ended = await play('busy while closing', path)
  t.deepEqual([ended.code, ended.hung, ended.stderr, ended.reports], [0, false, '', ['applied', 'closed']])
  const store = await open(path)
  t.is(store.stats().recovery.frames, 0, 'closed cleanly, nothing to replay')
  t.is(store.state.get('n'), COMMITS)
  await store.close()
})

test.serial('SIGTERM ends the process as it ends any other; what was written is there', async (t) => {
  const path = temporaryFolder(t)
  const child = new Child(SCENES, { args: ['SIGTERM', path] })
  await child.reported('200')
  child.kill('SIGTERM')
  const { signal, stderr, reports } = await child.ended
  t.deepEqual([signal, stderr], ['SIGTERM', ''])
  const store = await open(path)
  t.true((store.state.get('n') as number) >= Number(reports.at(-1)))
  await store.close()
})

test.serial('a handle that nobody waits for never becomes an unhandled rejection', async (t) => {
  const ended = await play('a handle that nobody waits for', temporaryFolder(t))
  t.deepEqual([ended.code, ended.stderr, ended.reports], [0, '', ['thrown', 'ERR_CLOSED']])
})

test.serial('a dropped write that fails becomes one, on purpose', async (t) => {
  const ended = await play('a dropped write that fails', temporaryFolder(t))
  t.deepEqual(ended.reports, ['unhandled of the callback', 'unhandled ERR_INVALID_ARGUMENT', 'unhandled ERR_CLOSED'])
})

test.serial('forgotten snapshots and ranges are released in the background, with one warning for each kind', async (t) => {
  const ended = await play('forgotten snapshots and ranges', temporaryFolder(t))
  t.deepEqual([ended.code, ended.reports], [0, ['held 300', 'released']])
  for (const kind of ['snapshot', 'range']) t.is(ended.stderr.split(`[LEDGERSTONE_UNRELEASED] LedgerstoneWarning: a ${kind} was`).length, 2, ended.stderr)
  t.false(ended.stderr.includes('a store was'))
})

test.serial('a forgotten store is closed in the background, with a warning', async (t) => {
  const path = temporaryFolder(t)
  const ended = await play('a forgotten store', path)
  t.deepEqual([ended.code, ended.reports], [0, ['closed']])
  t.regex(ended.stderr, /\[LEDGERSTONE_UNRELEASED\] LedgerstoneWarning: a store was garbage-collected without close\(\)/)
  const store = await open(path)
  t.is(store.state.get('n'), COMMITS)
  await store.close()
})

test.serial('a collection keeps its store from being collected', async (t) => {
  const ended = await play('a collection keeps its store', temporaryFolder(t))
  t.deepEqual([ended.code, ended.stderr, ended.reports], [0, '', [String(COMMITS)]])
})
