// Readers that stay. Elsewhere an idle thread, or a forgotten snapshot, let the LMDB file grow for as long as the process ran, without a warning. The test looks
// at the file's size, never at the time.
import test from 'ava'
import { runChild } from '../support/child.ts'
import { storePath } from '../support/store.ts'

const SCENES = new URL('reader-scenes.ts', import.meta.url)
/** What one round of `file-growth` writes, at least. */
const ROUND_BYTES = 300 * 1000
const ROUNDS = 50

interface Readers {
  snapshots: number
  oldestMs: number
  bytes: number
}
interface Growth {
  settled: number
  idle: [number, Readers]
  held: [number, Readers]
  released: Readers
  after: number
}

test('a thread that stopped reading pins nothing; a snapshot that is held does, and everybody can see it', async (t) => {
  const ended = await runChild(SCENES, { args: ['file-growth', storePath(t)] })
  t.deepEqual([ended.code, ended.stderr], [0, ''])
  const { settled, idle, held, released, after } = JSON.parse(ended.reports[0] as string) as Growth
  t.log(JSON.stringify({ settled, idle: idle[0], held: held[0], after }))
  t.true(idle[0] - settled <= ROUND_BYTES, `${ROUNDS} flushes beside a blocked thread: from ${settled} to ${idle[0]} bytes`)
  t.deepEqual([idle[1].snapshots, idle[1].oldestMs, idle[1].bytes], [0, 0, 0])

  t.true(held[0] - idle[0] > (ROUNDS - 5) * ROUND_BYTES, `${ROUNDS} flushes beside a snapshot: from ${idle[0]} to ${held[0]} bytes`)
  t.is(held[1].snapshots, 1)
  t.true(held[1].oldestMs > 0)
  t.true(held[1].bytes >= ROUND_BYTES, 'the generation that was active is kept in memory')
  t.deepEqual(released, { snapshots: 0, oldestMs: 0, bytes: 0 })
  t.is(after, held[0], 'what was pinned is used again')
})

test('a snapshot and a paused iteration are warned of once each, by code, with path and age', async (t) => {
  const path = storePath(t)
  const { code, reports, stderr } = await runChild(SCENES, { args: ['two-readers', path] })
  t.is(code, 0, stderr)
  t.deepEqual(JSON.parse(reports[0] as string), { snapshots: 1, iterations: 1, paths: [path], readers: 1, isAged: true })
  t.regex(stderr, /\[LEDGERSTONE_LONG_READER\] LedgerstoneWarning: a reader has been open for more than 10 ms/)
})

test('waiting to warn keeps no process alive', async (t) => {
  const ended = await runChild(SCENES, { args: ['idle-with-a-snapshot', storePath(t)] })
  t.deepEqual([ended.code, ended.hung, ended.stderr, ended.reports], [0, false, '', ['holding']])
})

interface Refusal {
  code: string
  message: string
  retryable: boolean
}

/**
 * Bug: after a snapshot of a large commit, or a few preflights over spans, an awaited write waited for ever, and with it all writers of all threads. Mechanism:
 * they waited for the release of what they held themselves. Fix: a caller that holds a snapshot does not wait for what snapshots hold.
 */
test('who holds snapshots writes on, whatever they hold', async (t) => {
  const { code, reports, stderr } = await runChild(SCENES, { args: ['beside-its-own-readers', storePath(t)] })
  t.deepEqual([code, stderr], [0, ''])
  t.deepEqual(JSON.parse(reports[0] as string), { isBeyondTheBound: true, counted: 100 })
})

test('who waits for readers of another thread is told so, and gets in when they are gone', async (t) => {
  const { code, reports, stderr } = await runChild(SCENES, { args: ['beside-readers-elsewhere', storePath(t)] })
  t.deepEqual([code, stderr], [0, ''])
  const { refusal, after } = JSON.parse(reports[0] as string) as { refusal: Refusal; after: number }
  t.deepEqual([refusal.code, refusal.retryable, after], ['ERR_BACKPRESSURE', true, 2])
  t.regex(refusal.message, /^open snapshots and iterations hold too much that was flushed: pendingBytes=\d+ oldestReaderMs=\d+$/)
})

test('who waits for a map that a snapshot keeps from growing is told so, and nothing is lost', async (t) => {
  const { code, reports, stderr } = await runChild(SCENES, { args: ['a-map-that-cannot-grow', storePath(t)] })
  t.deepEqual([code, stderr], [0, ''])
  const { refusal, flush, kept } = JSON.parse(reports[0] as string) as { refusal: Refusal; flush: Refusal; kept: boolean }
  for (const { code, retryable, message } of [refusal, flush]) {
    t.deepEqual([code, retryable], ['ERR_BACKPRESSURE', true])
    t.regex(message, /^the map of the state is full and cannot grow while a snapshot, an iteration or a verification is open: /)
  }
  t.true(kept)
})

/**
 * Bug: a process with a limit of its address space died (SIGSEGV) when the map of the state was to grow. Mechanism: LMDB gives its map up before it asks
 * for the new one. Fix: what cannot be mapped is not tried, and is `ERR_NO_SPACE` until it can.
 */
test('without address space for a larger map writes are refused, reads go on, and it heals', async (t) => {
  if (process.platform !== 'linux') {
    t.log('SKIPPED: needs prlimit, which only Linux has')
    t.pass()
    return
  }
  const { code, signal, reports, stderr } = await runChild(SCENES, { args: ['without-address-space', storePath(t)], limitMs: 120_000 })
  t.deepEqual([code, signal, stderr], [0, null, ''])
  if (reports[0]?.startsWith('skipped')) {
    t.log(`SKIPPED: ${reports[0]}`)
    t.pass()
    return
  }
  const { refusal, ...rest } = JSON.parse(reports[0] as string) as { refusal: Refusal }
  t.deepEqual([refusal.code, refusal.retryable, rest], ['ERR_NO_SPACE', true, { before: true, healed: true, after: true }])
  t.regex(refusal.message, /^no space is left in the process's address space: mmap/)
})
