// A sealed store: no write of any kind, from anywhere, until it is unsealed; also after reopening and after a kill.
import test from 'ava'
import { SealedError } from '../../src/index.ts'
import { Child } from '../support/child.ts'
import { codeOf, openStore, storePath } from '../support/store.ts'

test('sealing tells the newest event, and every way to write is refused before anything runs', async (t) => {
  const store = await openStore(t)
  await store.append([1, 2, 3])
  t.is(await store.seal(), 3)
  t.is(await store.seal(), 3, 'again')
  t.is(store.meta().sealedEventId, 3)
  const { applied } = store.stats().levels
  const ways = [
    () => store.transact(() => t.fail('the function runs')),
    () => store.apply(() => t.fail('the function runs')),
    () => store.writeTxn(),
    () => store.append(4),
    () => store.appendAll([4]),
    () => store.state.put('a', 1),
    () => store.state.delete('a'),
    () => store.dropCollection('b'),
    () => store.trimEvents({ before: 2 }),
  ]
  for (const way of ways) t.is(await codeOf(way), 'ERR_SEALED', way.toString())
  t.throws(() => store.writeTxn(), { instanceOf: SealedError, message: 'the store is sealed: eventId=3' })
  t.is(store.stats().levels.applied, applied)
  t.deepEqual(
    [...store.events()].map(({ event }) => event),
    [1, 2, 3],
    'reading goes on',
  )
  await store.sync()
  await store.flush()
  await store.unseal()
  t.is(store.meta().sealedEventId, undefined)
  await store.unseal()
  await store.append(4)
  t.is(store.nextEventId, 5)
})

test('an empty store can be sealed; its newest event is 0', async (t) => {
  const store = await openStore(t)
  t.is(await store.seal(), 0)
  t.is(store.meta().sealedEventId, 0)
  t.is(await codeOf(() => store.append(1)), 'ERR_SEALED')
  await store.close()
  const again = await openStore(t, {}, store.path)
  t.is(again.meta().sealedEventId, 0)
  t.is(await codeOf(() => again.append(1)), 'ERR_SEALED')
})

test('a seal survives reopening, flushed or not, and so does its end', async (t) => {
  const path = storePath(t)
  for (const flushes of [false, true]) {
    const store = await openStore(t, { flush: { intervalMs: 60_000 } }, path)
    const last = (await store.append('a')).lastEventId
    t.is(await store.seal(), last as number)
    if (flushes) await store.flush()
    await store.close()
    const sealed = await openStore(t, {}, path)
    t.is(sealed.meta().sealedEventId, last)
    t.is(await codeOf(() => sealed.state.put('a', 1)), 'ERR_SEALED')
    await sealed.unseal()
    await sealed.close()
    const open = await openStore(t, {}, path)
    t.is(open.meta().sealedEventId, undefined)
    await open.state.put('a', 1)
    await open.close()
  }
})

test('a seal is durable when it resolves: it survives a kill', async (t) => {
  const path = storePath(t)
  const child = new Child(new URL('sealing.ts', import.meta.url), { args: [path] })
  await child.reported('sealed')
  child.kill('SIGKILL')
  await child.ended
  const store = await openStore(t, {}, path)
  t.is(store.meta().sealedEventId, 1)
  t.is(await codeOf(() => store.append(1)), 'ERR_SEALED')
})

test('other threads are refused before their function runs', async (t) => {
  const reports: string[] = []
  const child = new Child(new URL('sealing.ts', import.meta.url), { args: [storePath(t), 'workers'], onReport: (line) => reports.push(line) })
  const { code, stderr, hung } = await child.ended
  t.false(hung, stderr)
  t.is(code, 0, stderr)
  t.deepEqual(reports, ['ERR_SEALED', 'ERR_SEALED'])
})

test('a transaction that is open is aborted by sealing inside it', async (t) => {
  const store = await openStore(t)
  let sealing: Promise<number> | undefined
  t.is(
    await codeOf(() =>
      store.apply((tx) => {
        tx.put(store.state, 'a', 1)
        sealing = store.seal()
      }),
    ),
    'ERR_TRANSACTION_OPEN',
  )
  t.is(await codeOf(() => sealing), 'ERR_TRANSACTION_OPEN')
  t.is(store.state.get('a'), undefined)
  await store.append('not sealed')
})
