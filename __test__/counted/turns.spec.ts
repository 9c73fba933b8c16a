// Turns of the event loop under awaited loops, counted with a clock that goes on by a step at each look.
//
// Bug: `for (…) await store.put(…)`, `for await (… of store.follow())` and the like ran for seconds while no timer, socket or signal had its turn.
// Mechanism: what was answered at once, or by a flush on this thread, settled in a microtask, and its caller's next call was in that same turn.
// Fix: all that settles asks `Turns`, which has it settle in the loop's next turn when there has been none for a while.
import test, { type ExecutionContext } from 'ava'
import { Environment } from '../../src/native/environment.ts'
import type { CanonicalStore } from '../../src/index.ts'
import { Turns } from '../../src/internal/turns.ts'
import { LockManager } from '../../src/lock-manager/index.ts'
import { openStore } from '../support/store.ts'

const TIMES = 48
/** One look notices that no turn is known, the next that it has not come; some calls settle twice. */
const AT_MOST = 4

type Step = (n: number) => Promise<unknown>

/** Puts a clock under this environment that is a step further at each look. */
function setClock(t: ExecutionContext, stepMs: number): void {
  const environment: { turns: Turns } = Environment.current()
  const before = environment.turns
  let ms = 0
  environment.turns = new Turns(() => (ms += stepMs))
  t.teardown(() => void (environment.turns = before))
}

/** How many steps go by at most before the loop has its turn. */
async function mostWithoutTurn(step: Step): Promise<number> {
  let since = 0
  let most = 0
  let isOver = false
  const tick = (): void => {
    since = 0
    if (!isOver) setImmediate(tick)
  }
  setImmediate(tick)
  for (let n = 0; n < TIMES; n++) {
    await step(n)
    most = Math.max(most, ++since)
  }
  isOver = true
  return most
}

const failing =
  (step: Step): Step =>
  (n) =>
    step(n).then(
      () => {
        throw new Error('it was to fail')
      },
      () => {},
    )

function stepsOf(store: CanonicalStore): Record<string, Step> {
  const { state, locks } = store
  const of = (level: 'applied' | 'written' | 'durable'): Record<string, Step> => {
    const durability = { durability: level }
    return {
      [`put, ${level}`]: (n) => state.put('k', n, durability),
      [`delete, ${level}`]: (n) => state.delete(n % 2 === 0 ? 'k' : 'missing', durability),
      [`append, ${level}`]: (n) => store.append(n, durability),
      [`appendAll, ${level}`]: (n) => store.appendAll([n, n], durability),
      [`transact, ${level}`]: (n) => store.transact((tx) => tx.append(n), durability),
      [`an empty transaction, ${level}`]: () => store.transact(() => {}, durability),
      [`transact in phases, ${level}`]: (n) =>
        store.transact({ keys: { write: [state.key('k')] }, preflight: () => {}, apply: (tx) => tx.put(state, 'k', n) }, durability),
      [`a handle's wait, ${level}`]: () => store.apply((tx) => tx.append(0)).wait(level),
    }
  }
  const handle = store.apply((tx) => tx.append(0))
  const own = new LockManager()
  return {
    ...of('applied'),
    ...of('written'),
    ...of('durable'),
    'a wait that has been settled': () => handle.wait('applied'),
    sync: () => store.sync(),
    flush: () => store.flush(),
    check: () => store.check({ keys: { read: [state.key('k')] }, preflight: () => {} }),
    'a pause': async () => (await store.pauseIngestion()).release(),
    'locks of the store': () => locks.with({ write: ['a'] }, () => {}),
    'locks of their own': async () => (await own.acquire({ read: ['a'] })).release(),
    'locks that are handed over': async () => {
      const guard = await own.acquire({ write: ['b'] })
      const next = own.acquire({ write: ['b'] })
      guard.release()
      const given = await next
      given.release()
    },
    'a refused put': failing(() => state.put('k', undefined as never)),
    'a refused append': failing(() => store.append(undefined as never)),
    'a transaction that throws': failing(() =>
      store.transact(() => {
        throw new Error('no')
      }),
    ),
    'phases that throw': failing(() =>
      store.transact({
        keys: {},
        preflight: () => {
          throw new Error('no')
        },
        apply: () => {},
      }),
    ),
    'a preflight that is refused': failing(() =>
      store.check({
        keys: {},
        preflight: () => {
          throw new Error('no')
        },
      }),
    ),
    'a lock that is not to be had': failing(async () => {
      const guard = await own.acquire({ write: ['c'] })
      try {
        await own.acquire({ write: ['c'] }, { timeoutMs: 0 })
      } finally {
        guard.release()
      }
    }),
    'a collection that is not there': failing(() => store.dropCollection('missing')),
    'what is asked of an aborted signal': failing(() => store.sync({ signal: AbortSignal.abort() })),
  }
}

async function follow<T>(follower: AsyncIterable<T>, take: (n: number) => Promise<void>): Promise<number> {
  const iterator = follower[Symbol.asyncIterator]()
  const most = await mostWithoutTurn(async (n) => {
    await iterator.next()
    await take(n)
  })
  await iterator.return?.()
  return most
}

for (const inlineFlush of ['auto', 'never'] as const) {
  test.serial(`every awaited call lets the loop have its turns: inlineFlush ${inlineFlush}`, async (t) => {
    const store = await openStore(t, { inlineFlush })
    await store.append(
      Array.from({ length: TIMES }, (_, n) => n),
      { durability: 'durable' },
    )
    setClock(t, 1)
    for (const [name, step] of Object.entries(stepsOf(store))) {
      const most = await mostWithoutTurn(step)
      t.true(most <= AT_MOST, `${name}: ${most} of ${TIMES} calls went by without a turn`)
    }
    const following: Record<string, [AsyncIterable<unknown>, (n: number) => Promise<unknown>]> = {
      'events one by one': [store.follow(), async () => {}],
      pages: [store.follow({ batch: 1 }).pages(), async () => {}],
      'events as they come': [store.follow({ from: store.nextEventId }), async () => {}],
      'events, and a cursor that is put': [store.follow(), (n) => store.state.put('cursor', n, { durability: 'durable' })],
    }
    for (const [name, [follower, take]] of Object.entries(following)) {
      for (let n = 0; n < TIMES; n++) store.apply((tx) => tx.append(n))
      const most = await follow(follower, async (n) => void (await take(n)))
      t.true(most <= AT_MOST, `${name}: ${most} of ${TIMES} went by without a turn`)
    }
  })
}

test.serial('what is applied settles in a microtask while the loop has had its turn', async (t) => {
  const store = await openStore(t)
  setClock(t, 0)
  const applied = { durability: 'applied' } as const
  const most = await mostWithoutTurn(() => store.transact((tx) => tx.append(0), applied))
  t.is(most, TIMES)
})

test.serial('levels are told in the order of the commits, also across a turn', async (t) => {
  const store = await openStore(t)
  setClock(t, 0.6)
  const told: number[] = []
  const all: Promise<unknown>[] = []
  for (let n = 0; n < TIMES; n++) {
    all.push(store.append(n, { durability: 'durable' }).then(({ seq }) => told.push(seq)))
    if (n % 3 === 0) await store.state.put('k', n, { durability: 'applied' })
    if (n % 7 === 0) await store.sync()
  }
  await Promise.all(all)
  t.is(told.length, TIMES)
  t.deepEqual(
    told,
    told.toSorted((a, b) => a - b),
  )
})

test.serial('a follower that is ended while it waits for a turn ends', async (t) => {
  const store = await openStore(t)
  await store.append(
    Array.from({ length: TIMES }, (_, n) => n),
    { durability: 'durable' },
  )
  setClock(t, 1)
  const iterator = store.follow()[Symbol.asyncIterator]()
  const steps = Array.from({ length: 10 }, () => iterator.next())
  await iterator.return?.()
  t.true((await steps.at(-1))?.done)
})
