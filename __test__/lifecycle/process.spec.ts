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
// Later: the same of sealing, trimming, rotating, pausing, checksums and the log's own calls, which had been taken for short work. Nothing is left that
// runs on that pool.
test.serial('no call needs a thread of the pool of Node', async (t) => {
  const ended = await runChild(SCENES, { args: ['the pool is taken', temporaryFolder(t)], env: { UV_THREADPOOL_SIZE: '1' }, limitMs: 60_000 })
  const calls = [
    'seal',
    'unseal',
    'trimEvents',
    'rotateEvents',
    'checksum',
    'pauseIngestion',
    'sync',
    'flush',
    'verify',
    'dropCollection',
    'log.sync',
    'log.rotate',
    'log.checksum',
    'log.deleteRange',
    'log.verify',
    'log.close',
    'close',
  ]
  t.deepEqual([ended.reports, ended.code, ended.hung, ended.stderr], [calls, 0, false, ''])
})

for (const scene of ['idle', 'opened and never used']) {
  test.serial(`a store that is ${scene} lets the process end`, async (t) => {
    const ended = await play(scene, temporaryFolder(t))
    t.deepEqual([ended.code, ended.hung, ended.stderr, ended.reports], [0, false, '', ['idle']])
  })
}

// Bug: with a long `flush.intervalMs` a process that was through stayed until the next flush. Mechanism: a commit that was not durable kept the event loop
// alive, and nothing asked for it to become durable but the flusher. Fix: it holds the loop only when that is about to end, and asks then. So what nobody
// awaits costs one flush at the end, and none before.
for (const [scene, commits, flushes] of [
  ['busy', COMMITS, 1],
  ['busy for a while', 20 * COMMITS, 1],
  ['busy at the very end', 3, 3],
] as const) {
  test.serial(`${scene}: a commit that nobody awaits keeps the process alive until it is durable, and no longer`, async (t) => {
    const path = temporaryFolder(t)
    const ended = await runChild(SCENES, { args: [scene, path], limitMs: 60_000 })
    t.deepEqual([ended.code, ended.hung, ended.stderr], [0, false, ''])
    const { applied, durable, flushes: counted } = atExit(ended)
    t.deepEqual([applied, durable], [1 + commits, 1 + commits])
    // At the very end each commit may come while the flush for the one before is under way.
    t.true(counted >= 1 && counted <= flushes, `${counted} flushes`)
  })
}

test.serial('the same in a worker thread', async (t) => {
  const ended = await runChild(SCENES, { args: ['busy in a worker', temporaryFolder(t)], limitMs: 60_000 })
  t.deepEqual([ended.code, ended.hung, ended.stderr], [0, false, ''])
  t.deepEqual(ended.reports.slice(-2), ['worker 0', `of the worker: ${COMMITS + 1} of ${COMMITS + 1}`])
})

// Bug: behind the end of the event loop every commit was a flush, for good. Mechanism: an immediate was to say that the loop goes on, and it was the fake of a test's timers. Fix: it
// is that of the module.
for (const scene of ['the event loop goes on after its end', 'the event loop goes on after its end, with fake timers'])
  test.serial(`${scene}: no more flushes than before`, async (t) => {
    const ended = await runChild(SCENES, { args: [scene, temporaryFolder(t)], limitMs: 60_000 })
    t.deepEqual([ended.code, ended.hung, ended.stderr], [0, false, ''])
    t.true(ended.reports.includes('0 flushes'), ended.reports.join(', '))
    const { applied, durable } = atExit(ended)
    t.is(durable, applied)
  })

function atExit(ended: Ended): { applied: number; durable: number; flushes: number } {
  return JSON.parse((ended.reports.at(-1) ?? '').slice('at exit: '.length)) as { applied: number; durable: number; flushes: number }
}

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
