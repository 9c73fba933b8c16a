// Pausing ingestion: at once for everybody, waits for those who are in, counted, and without a trace when it fails.
import test from 'ava'
import { PausedError } from '../../src/index.ts'
import { Child } from '../support/child.ts'
import { codeOf, openStore, storePath } from '../support/store.ts'
import { isPending, turn } from '../support/turns.ts'

test('while paused, writes that are awaited wait in order, and those that are not are refused', async (t) => {
  const store = await openStore(t)
  const pause = await store.pauseIngestion()
  t.true(store.isPaused)
  const { applied } = store.stats().levels
  t.throws(() => store.apply(() => t.fail('the function runs')), { instanceOf: PausedError })
  t.throws(() => store.writeTxn(), { instanceOf: PausedError, message: 'ingestion is paused' })
  const order: number[] = []
  const all = [
    store.append(1).then(() => order.push(1)),
    store.transact((tx) => tx.append(2)).then(() => order.push(2)),
    store.state.put('a', 3).then(() => order.push(3)),
    store.state.delete('a').then(() => order.push(4)),
    store.trimEvents({ before: 2 }).then((count) => t.is(count, 1)),
  ]
  t.true(await isPending(Promise.race(all)))
  t.is(store.stats().levels.applied, applied)
  pause.release()
  t.false(store.isPaused)
  await Promise.all(all)
  t.deepEqual(order, [1, 2, 3, 4])
  t.deepEqual(
    [...store.events()].map(({ event }) => event),
    [2],
  )
})

test('all that was applied is durable when it resolves', async (t) => {
  const store = await openStore(t, { flush: { intervalMs: 60_000 } })
  for (let n = 0; n < 100; n++) store.apply((tx) => tx.append(n))
  const pause = await store.pauseIngestion()
  const { applied, durable } = store.stats().levels
  t.is(applied, 100)
  t.is(durable, 100)
  pause.release()
})

test('pauses are counted; a second release does nothing; resumeIngestion ends them all', async (t) => {
  const store = await openStore(t)
  const other = await openStore(t, {}, store.path)
  const [first, second] = await Promise.all([store.pauseIngestion(), other.pauseIngestion()])
  first.release()
  first.release()
  t.true(store.isPaused)
  t.is(await codeOf(() => store.apply(() => {})), 'ERR_PAUSED')
  second[Symbol.dispose]()
  t.false(store.isPaused)
  store.apply((tx) => tx.append(1))
  const third = await store.pauseIngestion()
  await other.pauseIngestion()
  store.resumeIngestion()
  t.false(other.isPaused)
  third.release()
  await store.append(2)
})

test('a handle that closes gives its pauses back', async (t) => {
  const store = await openStore(t)
  const other = await openStore(t, {}, store.path)
  await other.pauseIngestion()
  const writing = store.append(1)
  t.true(await isPending(writing))
  await other.close()
  await writing
  t.false(store.isPaused)
})

test('an open transaction is waited for, with a deadline; then the store runs on', async (t) => {
  const reports: string[] = []
  const child = new Child(new URL('pausing.ts', import.meta.url), { args: [storePath(t)], onReport: (line) => reports.push(line) })
  const { code, stderr, hung } = await child.ended
  t.false(hung, stderr)
  t.is(code, 0, stderr)
  t.deepEqual(reports, ['ERR_TIMEOUT', 'runs on', 'aborted', 'runs on', 'paused when the transaction had ended', 'nothing came through', 'all there'])
})

test('what waits for a pause is rejected when the store closes, and so are the writes that it holds', async (t) => {
  const store = await openStore(t)
  await store.pauseIngestion()
  const held = codeOf(() => store.append(1))
  await turn()
  await store.close()
  t.is(await held, 'ERR_CLOSED')
  t.is(await codeOf(() => store.pauseIngestion()), 'ERR_CLOSED')
})

test('a signal takes a held write out, and is told at once when it has aborted before', async (t) => {
  const store = await openStore(t)
  t.is(await codeOf(() => store.pauseIngestion({ signal: AbortSignal.abort('early') })), 'early')
  t.false(store.isPaused)
  const pause = await store.pauseIngestion()
  const controller = new AbortController()
  const held = codeOf(() => store.append(1, { signal: controller.signal }))
  await turn()
  controller.abort('late')
  t.is(await held, 'late')
  pause.release()
  await store.append(2)
  t.deepEqual(
    [...store.events()].map(({ event }) => event),
    [2],
  )
})

test('wrong options are argument mistakes and pause nothing', async (t) => {
  const store = await openStore(t)
  for (const options of [{ timeoutMs: -1 }, { timeoutMs: '5' }, { signal: 5 }, { until: 5 }, 5]) {
    t.is(await codeOf(() => store.pauseIngestion(options as never)), 'ERR_INVALID_ARGUMENT', JSON.stringify(options))
  }
  t.false(store.isPaused)
})

test('a paused store can be sealed and unsealed', async (t) => {
  const store = await openStore(t)
  await store.append(1)
  const pause = await store.pauseIngestion()
  t.is(await store.seal(), 1)
  await store.unseal()
  pause.release()
})
