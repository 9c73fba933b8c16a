// However a transaction in three phases ends, its locks are given back, what is thrown is what comes out, and nothing is applied that was not to be.
import test from 'ava'
import { type CanonicalStore, type KeySet, type PreflightContext } from '../../src/index.ts'
import { runChild } from '../support/child.ts'
import { Random } from '../support/random.ts'
import { codeOf, openStore } from '../support/store.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { turn } from '../support/turns.ts'

const never = (): Promise<never> => new Promise(() => {})

function nothingHeld(store: CanonicalStore): readonly number[] {
  const { held, waiting } = store.locks.stats()
  return [held, waiting, store.stats().readers.snapshots]
}

const keysOf = (store: CanonicalStore): KeySet => ({ write: [store.state.key('a')], read: [store.state.keys({ prefix: 's' })] })

test('what keys, preflight and apply throw passes through unchanged, wherever they throw it', async (t) => {
  const store = await openStore(t)
  const keys = keysOf(store)
  const fine = { keys, preflight: (ctx: PreflightContext) => ctx.range(store.state, { prefix: 's' }).count(), apply: () => {} }
  for (const thrown of [new TypeError('of its own'), 'text', undefined, null]) {
    const fail = (): never => {
      throw thrown
    }
    const late = async (): Promise<never> => {
      await turn()
      throw thrown
    }
    for (const [where, phases] of Object.entries({
      keys: { ...fine, keys: fail },
      preflight: { ...fine, preflight: fail },
      'an asynchronous preflight': { ...fine, preflight: late },
      apply: { ...fine, apply: fail },
      'apply, after it has written': {
        ...fine,
        apply: (tx: { put(...all: unknown[]): void }) => {
          tx.put(store.state, 'a', 1)
          fail()
        },
      },
    })) {
      const outcome = await store.transact(phases as never).then(
        () => 'done',
        (error: unknown) => ({ error }),
      )
      t.deepEqual(outcome, { error: thrown }, `${where}: ${String(thrown)}`)
      t.deepEqual(nothingHeld(store), [0, 0, 0], where)
    }
    t.deepEqual(
      await store.check({ keys, preflight: late }).then(
        () => 'done',
        (error: unknown) => ({ error }),
      ),
      { error: thrown },
    )
  }
  const asynchronous = (async () => {}) as never
  t.is(await codeOf(() => store.transact({ ...fine, apply: asynchronous })), 'ERR_ASYNC_TRANSACTION')
  t.is(await codeOf(() => store.transact({ ...fine, apply: (tx) => tx.put(store.state, '', 1) })), 'ERR_INVALID_ARGUMENT')
  t.is(await codeOf(() => store.transact({ ...fine, apply: () => void store.append('a').catch(() => {}) })), 'ERR_TRANSACTION_OPEN')
  t.is(await codeOf(() => store.transact({ ...fine, preflight: (ctx) => ctx.reject('no') })), 'ERR_PREFLIGHT_REJECTED')
  t.is(await codeOf(() => store.transact({ ...fine, preflight: (ctx) => ctx.get(store.state, 'b') })), 'ERR_UNDECLARED_KEY')
  t.deepEqual(nothingHeld(store), [0, 0, 0])
  t.is(store.stats().levels.applied, 0)
})

test('a signal ends it in every phase with its reason, also a preflight that does not listen', async (t) => {
  const store = await openStore(t)
  const { state } = store
  const keys = keysOf(store)
  const run = (signal: AbortSignal, preflight: (ctx: PreflightContext) => unknown): Promise<unknown> =>
    store.transact({ keys, preflight, apply: (tx) => tx.put(state, 'a', 'applied') }, { signal }).then(
      () => 'done',
      (reason: unknown) => reason,
    )

  t.is(await run(AbortSignal.abort('before'), () => t.fail('it runs')), 'before')

  const guard = await store.locks.acquire({ read: [state.key('a')] })
  const waiting = new AbortController()
  const waits = run(waiting.signal, () => t.fail('it runs'))
  await turn()
  t.deepEqual(nothingHeld(store), [1, 1, 0])
  waiting.abort('while it waits for locks')
  t.is(await waits, 'while it waits for locks')
  guard.release()

  const running = new AbortController()
  let context: PreflightContext | undefined
  const runs = run(running.signal, (ctx) => {
    context = ctx
    ctx.range(state, { prefix: 's' }).count()
    return never()
  })
  await turn()
  t.deepEqual(nothingHeld(store), [1, 0, 1])
  const told = new Promise((resolve) => (context as PreflightContext).signal.addEventListener('abort', resolve, { once: true }))
  running.abort('while it runs')
  t.is(await runs, 'while it runs')
  await told
  t.is(context?.signal.reason, 'while it runs')
  t.throws(() => context?.get(state, 'a'), { code: 'ERR_TRANSACTION_FINISHED' })
  t.deepEqual(nothingHeld(store), [0, 0, 0])

  const itself = new AbortController()
  t.is(await run(itself.signal, () => itself.abort('by itself')), 'by itself')
  const late = new AbortController()
  t.is(
    await run(late.signal, async () => {
      late.abort('and it fails')
      throw new Error('of its own')
    }),
    'and it fails',
  )

  const paused = new AbortController()
  const pause = await store.pauseIngestion()
  const held = run(paused.signal, () => 1)
  await turn()
  t.deepEqual(nothingHeld(store), [1, 0, 0])
  paused.abort('while paused')
  t.is(await held, 'while paused')
  t.deepEqual(nothingHeld(store), [0, 0, 0])
  t.is(state.get('a'), undefined)
  pause.release()
})

test('the time limit is for the locks, all attempts together, and not for the preflight', async (t) => {
  const store = await openStore(t)
  const keys = { write: [store.state.key('a')] }
  const guard = await store.locks.acquire(keys)
  for (const timeoutMs of [0, 15])
    t.is(await codeOf(() => store.transact({ keys, preflight: () => t.fail('it runs'), apply: () => {} }, { timeoutMs })), 'ERR_LOCK_TIMEOUT')
  t.deepEqual(nothingHeld(store), [1, 0, 0])
  guard.release()
  const { result } = await store.transact({ keys, preflight: () => new Promise<number>((resolve) => setTimeout(resolve, 20, 1)), apply: (_, n) => n }, { timeoutMs: 0 })
  t.is(result, 1)
})

test('closing ends it in every phase with ERR_CLOSED, and its apply does not run', async (t) => {
  const phases: Record<string, (store: CanonicalStore) => Promise<(ctx: PreflightContext) => Promise<unknown>>> = {
    'waiting for locks': async (store) => {
      await store.locks.acquire({ read: [store.state.key('a')] })
      return never
    },
    'in the preflight': async () => never,
    'in a preflight that comes back when it is told': async () => (ctx) => new Promise((resolve) => ctx.signal.addEventListener('abort', resolve)),
    'held by a pause': async (store) => {
      await store.pauseIngestion()
      return () => Promise.resolve()
    },
  }
  for (const [when, prepare] of Object.entries(phases)) {
    const store = await openStore(t)
    const observer = await openStore(t, {}, store.path)
    const preflight = await prepare(store)
    let signal: AbortSignal | undefined
    const outcome = codeOf(() =>
      store.transact({
        keys: keysOf(store),
        preflight: (ctx) => {
          signal = ctx.signal
          return preflight(ctx)
        },
        apply: () => t.fail('it is applied'),
      }),
    )
    await turn()
    const checked = codeOf(() => store.check({ keys: keysOf(store), preflight: never }))
    await turn()
    const closing = store.close()
    t.is(await outcome, 'ERR_CLOSED', when)
    t.is(await checked, 'ERR_CLOSED', when)
    if (when.startsWith('in ')) t.is((signal?.reason as { code?: unknown } | undefined)?.code, 'ERR_CLOSED', when)
    await closing
    t.deepEqual(nothingHeld(observer), [0, 0, 0], when)
    t.is(observer.stats().levels.applied, 0)
  }
  const store = await openStore(t)
  t.is(await codeOf(() => store.transact({ keys: keysOf(store), preflight: () => void store.close(), apply: () => t.fail('it is applied') })), 'ERR_CLOSED')
})

test('sealing refuses it in every phase before its apply', async (t) => {
  const store = await openStore(t)
  const keys = keysOf(store)
  const run = (preflight: () => unknown): Promise<unknown> => codeOf(() => store.transact({ keys, preflight, apply: () => t.fail('it is applied') }))
  t.is(await run(() => store.seal()), 'ERR_SEALED', 'in the preflight')
  t.is(await run(() => t.fail('it runs')), 'ERR_SEALED', 'before')
  await store.unseal()
  const guard = await store.locks.acquire({ read: [store.state.key('a')] })
  const waiting = run(() => t.fail('it runs'))
  await store.seal()
  guard.release()
  t.is(await waiting, 'ERR_SEALED', 'waiting for locks')
  await store.unseal()
  const pause = await store.pauseIngestion()
  const held = run(() => 1)
  // A function that was held back used to run, and only its commit was refused.
  const ofOnePhase = codeOf(() => store.transact(() => t.fail('it runs')))
  await turn()
  await store.seal()
  pause.release()
  t.is(await held, 'ERR_SEALED', 'held by a pause')
  t.is(await ofOnePhase, 'ERR_SEALED', 'held by a pause')
  t.deepEqual(nothingHeld(store), [0, 0, 0])
})

test('a pause is waited for before the apply, with the locks held, and what was read is looked at after it', async (t) => {
  const store = await openStore(t)
  const { state } = store
  let ran = 0
  const pause = await store.pauseIngestion()
  const held = store.transact({
    keys: { read: [state.key('a'), state.keys({ prefix: 's' })] },
    preflight: (ctx) => {
      ran++
      return [ctx.get(state, 'a'), ctx.range(state, { prefix: 's' }).count()]
    },
    apply: (tx, seen) => {
      tx.put(state, 'b', 1)
      return seen
    },
  })
  const before = state.put('s1', 1) // behind it in the queue of those who wait
  await turn()
  t.deepEqual([ran, state.get('b'), store.locks.stats().held], [1, undefined, 1])
  pause.release()
  t.deepEqual((await held).result, [undefined, 0])
  await before
  t.is(ran, 1)
  t.deepEqual(nothingHeld(store), [0, 0, 0])
})

test('a storm of time-outs, aborts, rejections and failures leaves nothing held and nobody waiting', async (t) => {
  const store = await openStore(t)
  const { state } = store
  const random = new Random(15)
  const outcomes = new Map<string, number>()
  const one = async (n: number): Promise<void> => {
    const abort = new AbortController()
    const how = random.below(6)
    const keys = { read: [state.key(`k${random.below(5)}`)], write: [state.key(`k${random.below(5)}`)] }
    const work = store.transact(
      {
        keys,
        preflight: async (ctx) => {
          for (let turns = random.below(4); turns > 0; turns--) await turn()
          if (how === 0) ctx.reject('no')
          if (how === 1) throw new Error('of its own')
          if (how === 2) abort.abort('aborted')
        },
        apply: (tx) => {
          if (how === 3) throw new Error('of its own')
          tx.put(state, `n${n}`, n)
        },
      },
      { signal: abort.signal, timeoutMs: random.oneIn(3) ? random.below(3) : 60_000 },
    )
    if (how === 4) setImmediate(() => abort.abort('aborted'))
    const outcome = await work.then(
      () => 'done',
      (error: unknown) => String((error as { code?: unknown }).code ?? error),
    )
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    if (outcome === 'done') t.is(state.get(`n${n}`), n)
    else t.is(state.get(`n${n}`), undefined)
  }
  for (let round = 0; round < 20; round++) await Promise.all(Array.from({ length: 50 }, (_, n) => one(round * 50 + n)))
  t.deepEqual(nothingHeld(store), [0, 0, 0])
  t.deepEqual([...outcomes.keys()].toSorted(), ['ERR_LOCK_TIMEOUT', 'ERR_PREFLIGHT_REJECTED', 'Error: of its own', 'aborted', 'done'])
})

const SCENES = new URL('preflight-scenes.ts', import.meta.url)
for (const [scene, expected] of [
  ['holder-dies', ['held 1 waiting 1', 'held 0 waiting 0, applied by main']],
  ['waiter-dies', ['held 1 waiting 1', 'held 0 waiting 0, applied by main']],
  ['one-point', ['2000 preflights, none torn', 'held 0 waiting 0']],
  ['transfers', ['3 threads, 0 lost', 'held 0 waiting 0']],
] as const) {
  test.serial(`threads: ${scene}`, async (t) => {
    const ended = await runChild(SCENES, { args: [scene, temporaryFolder(t)] })
    t.deepEqual([ended.code, ended.signal, ended.hung, ended.stderr], [0, null, false, ''])
    t.deepEqual(ended.reports, expected)
  })
}
