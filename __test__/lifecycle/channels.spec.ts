// The diagnostics channels between threads, and those who listen badly.
import test from 'ava'
import { runChild } from '../support/child.ts'
import { storePath } from '../support/store.ts'

const SCENES = new URL('channel-scenes.ts', import.meta.url)

test('every thread that listens is told of every commit of every thread, and no other is', async (t) => {
  const { code, stderr, reports } = await runChild(SCENES, { args: ['workers', storePath(t)] })
  t.deepEqual([code, stderr, reports], [0, '', ['[300,300,0]', 'main 300']])
})

test('a listener that throws has an uncaught exception of its own; the store does not notice', async (t) => {
  const { code, stderr, reports } = await runChild(SCENES, { args: ['throws', storePath(t)] })
  t.deepEqual([code, stderr, reports], [0, '', ['each failed for itself, seq 50']])
})

const onUnix = process.platform === 'win32' ? test.skip : test

onUnix('the end of writing is told once, with the first failure', async (t) => {
  const path = storePath(t)
  // Files may not grow beyond 4 MiB (8 in shells that count in KiB).
  const runner = ['sh', '-c', 'ulimit -f 8192; exec "$@"', 'sh'] as const
  const { code, stderr, reports } = await runChild(SCENES, { args: ['poisoned', path], runner })
  t.deepEqual([code, stderr], [0, ''])
  t.deepEqual(JSON.parse(reports[0] as string), [{ path, code: 'ERR_IO', isFailure: true }])
})
