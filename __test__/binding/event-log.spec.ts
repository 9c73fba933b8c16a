// The native calls on event logs, with arguments that the TypeScript above them never makes.
import test from 'ava'
import { FAILED, codeOf, cold, error, hot, openLogIn } from './raw.ts'

const POOL = Buffer.alloc(1024)

test('packed events that lie about themselves are refused, and nothing is appended', async (t) => {
  const log = await openLogIn(t)
  const packed = Buffer.from('\x02\0\0\0ab\x01\0\0\0c')
  for (const [events, length] of [
    [packed, 10],
    [packed, 5],
    [packed, 7],
    [packed, 12],
    [packed, 2 ** 40],
    [Buffer.alloc(4, 0xff), 4],
    [Buffer.alloc(3), 3],
  ] as const) {
    t.is(hot.logAppendBatch(log, 1, events, length), FAILED, `${length}`)
    t.is(error()['argument'], 'events')
  }
  const ids = new Float64Array(2)
  t.deepEqual([hot.logEnds(log, ids), ...ids], [0, 1, 1])
  t.deepEqual([hot.logAppendBatch(log, 1, packed, 11), hot.logEnds(log, ids), ...ids], [0, 0, 1, 3])
  t.is(hot.logAppend(log, 3, new Uint8Array(new SharedArrayBuffer(8))), FAILED, 'another thread could write to it')
  t.is(error()['argument'], 'bytes')
  await cold.closeEventLog(log)
  for (const call of [
    () => hot.logAppend(log, 3, POOL),
    () => hot.logAppendBatch(log, 3, packed, 0),
    () => hot.logGet(log, 1, POOL, 0),
    () => hot.logPage(log, 0, 9, POOL),
    () => hot.logEnds(log, ids),
  ]) {
    t.is(call(), FAILED, call.toString())
    t.is(error().code, 'ERR_CLOSED', call.toString())
  }
  for (const call of [
    () => cold.closeEventLog(log),
    () => cold.logSync(log),
    () => cold.logRotate(log),
    () => cold.logDeleteRange(log, 0, 1),
    () => cold.logSegments(log),
    () => cold.logChecksum(log, 1),
    () => cold.logStats(log),
    () => cold.startLogVerification(log),
  ]) {
    t.is(await codeOf(call), 'ERR_CLOSED', call.toString())
  }
})
