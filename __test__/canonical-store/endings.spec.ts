// How a write ends for its caller: when it is too late to cancel, whose error it is, and which caller gets it.
//
// Bugs: a held write that aborted its own signal rejected as "aborted" and was done; a function that passed on another store's ERR_PAUSED ran again for ever; a
// refused write whose failure its transaction reports, and a stall that ended by closing, were unhandled rejections; a forgotten pause kept all writers out.
// Mechanism: a signal watched while the write ran, a condition known by its code, promises that no code could handle, an owner without a second. Fix: the watch
// ends before the write begins, PAUSED is a result, the transaction's report counts for the writes that it refused, a pause is a lease.
import { channel } from 'node:diagnostics_channel'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import type { Transaction } from '../../src/index.ts'
import { codeOf, openStore } from '../support/store.ts'
import { isPending, turn } from '../support/turns.ts'

type Store = Awaited<ReturnType<typeof openStore>>
type Work<T> = (tx: Transaction<unknown>) => T

/** Every way to have a function run as a transaction. */
const FORMS: Record<string, <T>(store: Store, fn: Work<T>, signal?: AbortSignal) => Promise<unknown>> = {
  transact: (s, fn, signal) => s.transact(fn as Work<number>, { signal }),
  'transact, behind a pause': async (s, fn, signal) => {
    const pause = await s.pauseIngestion()
    const waits = s.transact(fn as Work<number>, { signal })
    await turn()
    pause.release()
    return waits
  },
  phases: (s, fn, signal) => s.transact({ keys: { write: [s.state.key('a')] }, preflight: () => {}, apply: fn as Work<number> }, { signal }),
  'phases, behind a pause': async (s, fn, signal) => {
    const pause = await s.pauseIngestion()
    const waits = s.transact({ keys: {}, preflight: () => {}, apply: fn as Work<number> }, { signal })
    await turn()
    pause.release()
    return waits
  },
}

test('a write that aborts its own signal while it is carried out is done', async (t) => {
  const store = await openStore(t)
  for (const [name, run] of Object.entries(FORMS)) {
    const controller = new AbortController()
    await t.notThrowsAsync(
      run(
        store,
        (tx) => {
          controller.abort(new Error('too late'))
          tx.put(store.state, name, 1)
        },
        controller.signal,
      ),
      name,
    )
    t.is(store.state.get(name), 1)
  }
})

test('a write whose value aborts its signal is not: nothing has begun', async (t) => {
  const store = await openStore(t)
  const controller = new AbortController()
  const value = {
    toJSON: () => {
      controller.abort(new Error('in time'))
      return 1
    },
  } as never
  await t.throwsAsync(store.state.put('a', value, { signal: controller.signal }), { message: 'in time' })
  t.false(store.state.has('a'))
})

test('a write that waits is taken out by its signal, also when a pause came twice', async (t) => {
  const store = await openStore(t)
  const pause = await store.pauseIngestion()
  const controller = new AbortController()
  const waits = store.transact((tx) => tx.put(store.state, 'a', 1), { signal: controller.signal })
  t.true(await isPending(waits))
  controller.abort(new Error('given up'))
  await t.throwsAsync(waits, { message: 'given up' })
  pause.release()
  await turn()
  t.false(store.state.has('a'))
})

test("an error that a function throws is its caller's, whatever code it has", async (t) => {
  const [store, other] = [await openStore(t), await openStore(t)]
  const pause = await other.pauseIngestion()
  for (const [name, run] of Object.entries(FORMS)) {
    let runs = 0
    let thrown: unknown
    const error: unknown = await run(store, (tx) => {
      if (++runs > 10) throw new Error('again and again')
      tx.append(name)
      try {
        other.apply(() => {})
      } catch (paused) {
        thrown = paused
        throw paused
      }
    }).catch((reason: unknown) => reason)
    t.is((thrown as { code: string }).code, 'ERR_PAUSED')
    t.deepEqual([runs, error === thrown], [1, true], name)
  }
  pause.release()
  t.is(store.nextEventId, 1)
})

test("a write that is refused inside of a transaction, which reports it, is nobody's unhandled rejection", async (t) => {
  const store = await openStore(t)
  const writes: Record<string, () => Promise<unknown>> = {
    put: () => store.state.put('a', 1),
    delete: () => store.state.delete('a'),
    append: () => store.append(1),
    appendAll: () => store.appendAll([1]),
    transact: () => store.transact(() => {}),
    phases: () => store.transact({ keys: {}, preflight: () => {}, apply: () => {} }),
    check: () => store.check({ keys: {}, preflight: () => {} }),
    dropCollection: () => store.dropCollection('c'),
    trimEvents: () => store.trimEvents({ before: 1 }),
    rotateEvents: () => store.rotateEvents(),
    seal: () => store.seal(),
    unseal: () => store.unseal(),
  }
  // AVA fails what leaves an unhandled rejection.
  for (const [name, write] of Object.entries(writes)) {
    t.is(await codeOf(() => store.apply(() => void write())), 'ERR_TRANSACTION_OPEN', name)
    await t.throwsAsync(
      store.transact((tx) => {
        void write()
        tx.get(store.state, 'a')
      }),
      { code: 'ERR_TRANSACTION_OPEN' },
      name,
    )
    const tx = store.writeTxn()
    void write()
    t.throws(() => tx.commit(), { code: 'ERR_TRANSACTION_OPEN' }, name)
    await turn()
  }
  t.is((await store.state.put('after', 1)).seq, 1)
})

// Bug: with a function that threw another error after the refused write, that write's rejection was unhandled. Mechanism: only the transaction's own error
// counted as its report. Fix: any error that a failed transaction's caller gets counts.
test('nor is one beside which the function throws an error of its own', async (t) => {
  const store = await openStore(t)
  const writes = [() => store.state.put('a', 1), () => store.state.delete('a'), () => store.append(1), () => store.appendAll([1]), () => store.trimEvents({ before: 1 })]
  const own = new Error('own')
  for (const write of writes) {
    const fn = (): never => {
      void write()
      throw own
    }
    for (const [name, run] of Object.entries(FORMS)) t.is(await run(store, fn).catch((error: unknown) => error), own, name)
    t.is(
      t.throws(() => store.apply(fn)),
      own,
    )
    const asynchronous = async (): Promise<void> => void write()
    t.throws(() => store.apply(asynchronous as never), { code: 'ERR_ASYNC_TRANSACTION' })
    await turn()
  }
})

test('of an explicit transaction that is given up, which tells nobody, it is one', async (t) => {
  const store = await openStore(t)
  const transaction = store.writeTxn()
  const refused = store.state.put('a', 1)
  transaction.abort()
  await t.throwsAsync(refused, { code: 'ERR_TRANSACTION_OPEN' })
})

test('closing while writes wait and somebody listens for stalls rejects them and nothing else', async (t) => {
  const stalls = channel('ledgerstone:stall')
  const told: unknown[] = []
  const store = await openStore(t)
  const listen = (message: unknown): void => void ((message as { path: string }).path === store.path && told.push(message))
  stalls.subscribe(listen)
  await store.pauseIngestion()
  const waits = [store.state.put('a', 1), store.transact(() => {}), store.append(1)]
  await turn()
  const closing = store.close()
  for (const { status, reason } of (await Promise.allSettled(waits)) as PromiseRejectedResult[])
    t.deepEqual([status, (reason as { code: string }).code], ['rejected', 'ERR_CLOSED'])
  await closing
  await turn()
  stalls.unsubscribe(listen)
  t.deepEqual(told, [])
})

test('a pause that was forgotten ends, with one warning; one that ended with its handle, with none', async (t) => {
  const warnings: string[] = []
  const listen = (warning: Error & { code?: string }): void => void (warning.code === 'LEDGERSTONE_UNRELEASED' && warnings.push(warning.message))
  process.on('warning', listen)
  const store = await openStore(t)
  const closed = await openStore(t)
  await closed.pauseIngestion()
  await closed.close()
  for (let n = 0; n < 2; n++) await store.pauseIngestion()
  for (let round = 0; round < 200 && store.isPaused; round++) {
    globalThis.gc?.()
    await sleep(10)
  }
  t.false(store.isPaused)
  await store.state.put('a', 1)
  await turn()
  process.off('warning', listen)
  t.deepEqual(
    warnings.map((message) => message.split(' ').slice(0, 2).join(' ')),
    ['a pause'],
  )
})
