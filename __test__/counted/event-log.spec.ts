// What a call on an event log costs in native calls.
import test from 'ava'
import { appendUpTo, openLog } from '../event-log/log-folder.ts'
import { callsOf, threadsStarted } from './calls.ts'

const PAGE_BYTES = 64 * 1024
const ENTRY_HEAD_BYTES = 16

test.serial('an append, a batch and a read are one native call each', async (t) => {
  const log = await openLog(t)
  t.deepEqual(
    callsOf(() => log.appendWithId(1, Buffer.alloc(100))),
    { logAppend: 1 },
  )
  t.deepEqual(
    callsOf(() =>
      log.appendBatchWithIds(
        2,
        Array.from({ length: 1_000 }, () => Buffer.alloc(100)),
      ),
    ),
    { logAppendBatch: 1 },
  )
  t.deepEqual(
    callsOf(() => log.get(500)),
    { logGet: 1 },
  )
  t.deepEqual(
    callsOf(() => log.get(5_000)),
    { logGet: 1 },
  )
  t.deepEqual(
    callsOf(() => log.iterRange(0)),
    {},
    'a range that nobody iterates',
  )
  t.deepEqual(
    callsOf(() => log.nextEventId),
    { logEnds: 1 },
  )
})

test.serial('an iteration costs a call for each page, and one that is left early no more than it saw', async (t) => {
  const log = await openLog(t)
  const count = 20_000
  for (let first = 1; first <= count; first += 1_000)
    log.appendBatchWithIds(
      first,
      Array.from({ length: 1_000 }, () => Buffer.alloc(100, 1)),
    )
  let seen = 0
  const calls = callsOf(() => {
    for (const [, bytes] of log.iterRange(0)) seen += bytes.length
  })
  t.is(seen, count * 100)
  const pages = Math.ceil((count * (104 + ENTRY_HEAD_BYTES)) / (PAGE_BYTES - 1_000))
  t.true((calls.logPage as number) <= pages + 2, `${calls.logPage} pages, ${pages} are needed`)
  t.deepEqual(Object.keys(calls).toSorted(), ['logEnds', 'logPage'])
  t.deepEqual(
    callsOf(() => {
      for (const [id] of log.iterRange(0)) if (id === 10) break
    }),
    { logPage: 1, logEnds: 1 },
  )
})

// Bug: each `sync` of a log on its own started a thread. Mechanism: it was a piece of work that may take long, which has a thread while it lasts. Fix: a log has
// one thread for its flushes, from the first until it is closed, and what is asked for meanwhile is one more flush.
test.serial('the syncs of a log have one thread, awaited one after another or not', async (t) => {
  const log = await openLog(t)
  const before = threadsStarted()
  for (let id = 1; id <= 1_000; id++) {
    log.appendWithId(id, Buffer.alloc(10))
    await log.sync()
  }
  t.is(threadsStarted() - before, 1)
  log.appendWithId(1_001, Buffer.alloc(10))
  const syncs = Array.from({ length: 1_000 }, () => log.sync())
  const closing = log.close()
  await Promise.all(syncs)
  await closing
  t.is(threadsStarted() - before, 2, 'closing has its own')
  await t.throwsAsync(log.sync(), { code: 'ERR_CLOSED' })
})

test.serial('an iteration of events larger than a page asks twice for each', async (t) => {
  const log = await openLog(t)
  appendUpTo(log, 1)
  for (const id of [2, 3, 4]) log.appendWithId(id, Buffer.alloc(200_000, id))
  const calls = callsOf(() =>
    t.deepEqual(
      [...log.iterRange(2)].map(([, bytes]) => bytes.length),
      [200_000, 200_000, 200_000],
    ),
  )
  t.deepEqual(calls, { logPage: 6, logEnds: 1 })
})
