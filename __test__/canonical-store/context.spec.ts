// A function that is kept runs in the async context of the call that brought it.
//
// Bug: a queued write ran in the context of the caller that emptied the queue, so events were written with another tenant's name. Mechanism: a plain call from
// a loop over the queue. Fix: a function that is kept is kept with its context; warnings and channels, which concern the process, run in no caller's context.
import { AsyncLocalStorage } from 'node:async_hooks'
import { channel } from 'node:diagnostics_channel'
import test from 'ava'
import type { Codec, Json } from '../../src/index.ts'
import { openStore } from '../support/store.ts'
import { turn } from '../support/turns.ts'

const als = new AsyncLocalStorage<string>()
type Store = Awaited<ReturnType<typeof openStore>>

/** Every call that may have to queue, with a function of the caller's. */
const CALLS: Record<string, (store: Store, note: () => void) => Promise<unknown>> = {
  transact: (s, note) =>
    s.transact((tx) => {
      note()
      tx.append('e')
    }),
  'the apply of phases': (s, note) =>
    s.transact({
      keys: { write: [s.state.key('k')] },
      preflight: () => {},
      apply: (tx) => {
        note()
        tx.append('e')
      },
    }),
  'a preflight': (s, note) => s.transact({ keys: { write: [s.state.key('k')] }, preflight: () => note(), apply: () => {} }),
  'a preflight that waits for its locks': (s, note) =>
    s.transact({
      keys: () => {
        note()
        return { write: [s.state.key('locked')] }
      },
      preflight: () => note(),
      apply: () => note(),
    }),
  'a check': (s, note) => s.check({ keys: { read: [s.state.key('locked')] }, preflight: () => note() }),
  'with locks': (s, note) => s.locks.with({ write: [s.state.key('locked')] }, () => note()),
  'an encoder': (s, note) => s.collection('spied', { value: spy(note) }).put('k', 1),
  'a continuation': async (s, note) => {
    await s.state.put('z', 1)
    note()
  },
}

function spy(note: () => void): Codec<Json> {
  return {
    name: 'spy',
    encode: (value) => {
      note()
      return JSON.stringify(value)
    },
    decode: (bytes) => {
      note()
      return JSON.parse(bytes.toString()) as Json
    },
  }
}

for (const released of ['the lock', 'the pause'] as const) {
  test(`what has waited runs in its caller's context, whoever ends the waiting: ${released} last`, async (t) => {
    const store = await openStore(t)
    const guard = await als.run('holder', () => store.locks.acquire({ write: [store.state.key('locked')] }))
    const pause = await als.run('pauser', () => store.pauseIngestion())
    const seen: [expected: string, found: string | undefined][] = []
    const running = Object.entries(CALLS).flatMap(([name, call]) =>
      ['one', 'two'].map((tenant) => {
        const id = `${name} of ${tenant}`
        return als.run(id, () => call(store, () => seen.push([id, als.getStore()])))
      }),
    )
    await turn()
    const ends = [() => guard.release(), () => pause.release()]
    for (const end of released === 'the lock' ? ends.toReversed() : ends) {
      als.run('whoever ends it', end)
      await turn()
    }
    await Promise.all(running)
    t.deepEqual(
      seen.filter(([expected, found]) => expected !== found),
      [],
    )
    t.is(new Set(seen.map(([id]) => id)).size, Object.keys(CALLS).length * 2)
  })
}

test("what waits for room runs in its caller's context", async (t) => {
  const store = await openStore(t, { flush: { bytes: 64 * 1024, intervalMs: 60_000 } })
  const wrong: unknown[] = []
  await Promise.all(
    Array.from({ length: 300 }, (_, n) =>
      als.run(String(n), () =>
        store.transact((tx) => {
          if (als.getStore() !== String(n)) wrong.push([n, als.getStore()])
          tx.put(store.state, String(n), 'x'.repeat(5000))
        }),
      ),
    ),
  )
  t.deepEqual(wrong, [])
})

test("who listens to a preflight's signal hears in the context of the preflight", async (t) => {
  const store = await openStore(t)
  const seen: unknown[] = []
  const waits = als.run('caller', () =>
    store.check({
      keys: {},
      preflight: (ctx) =>
        new Promise<void>((resolve) => {
          ctx.signal.addEventListener('abort', () => {
            seen.push(als.getStore())
            resolve()
          })
        }),
    }),
  )
  await turn()
  await Promise.all([t.throwsAsync(waits, { code: 'ERR_CLOSED' }), als.run('closer', () => store.close())])
  t.deepEqual(seen, ['caller'])
})

test("a follower's codec runs in the context of whoever follows", async (t) => {
  const seen: unknown[] = []
  const store = await openStore(t, { events: spy(() => seen.push(als.getStore())) })
  const iteration = store.follow({ durability: 'applied' })[Symbol.asyncIterator]()
  const next = als.run('follower', () => iteration.next())
  await turn()
  await als.run('writer', () => store.append('e'))
  await next
  t.deepEqual(seen, ['writer', 'follower'])
})

test("channels tell in nobody's context", async (t) => {
  const store = await openStore(t)
  const seen: unknown[] = []
  const listen = (): void => void seen.push(als.getStore())
  const groups = channel('ledgerstone:commit-group')
  groups.subscribe(listen)
  await als.run('tenant', async () => {
    for (let n = 0; n < 10; n++) await store.state.put('a', n, { durability: 'durable' })
  })
  groups.unsubscribe(listen)
  t.true(seen.length > 0)
  t.deepEqual(
    seen.filter((found) => found !== undefined),
    [],
  )
})
