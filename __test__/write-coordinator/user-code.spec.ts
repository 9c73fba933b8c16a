// The user's code runs in the middle: deltas and flushers that call the coordinator, that are cut off, that run in somebody's async context.
import { AsyncLocalStorage } from 'node:async_hooks'
import { getEventListeners } from 'node:events'
import { Script } from 'node:vm'
import test from 'ava'
import { Deferred } from '../../src/internal/deferred.ts'
import type { LedgerstoneError } from '../../src/index.ts'
import type { CoordinatorTypes, Delta } from '../../src/write-coordinator/coordinator-types.ts'
import { WriteCoordinator } from '../../src/write-coordinator/index.ts'
import { turn } from '../support/turns.ts'
import { MemoryFlusher, numbers } from './coordinating.ts'

interface Plain extends CoordinatorTypes {
  Context: undefined
  Write: number
  ApplyResult: unknown
  Frozen: number
  FrozenView: number
  DeltaView: number
  Snapshot: number
}
type Place = 'apply' | 'estimateSize' | 'freeze' | 'reader' | 'init'

function plain(
  run: (place: Place, delta: number) => unknown,
  flusher = { flushDelta: async (frozen: number) => frozen, flushStorage: async (): Promise<void> => {} },
): WriteCoordinator<Plain> {
  let deltas = 0
  const init = (): Delta<Plain> => {
    const n = ++deltas
    run('init', n)
    return {
      apply: () => run('apply', n),
      estimateSize: () => (run('estimateSize', n), 1),
      freeze: () => (run('freeze', n), { frozen: n, view: n, context: undefined }),
      reader: () => (run('reader', n), n),
    }
  }
  return new WriteCoordinator<Plain>({ init, context: undefined, snapshot: 0, flusher })
}

for (const place of ['apply', 'estimateSize', 'freeze', 'reader', 'init'] as const) {
  test(`calls from inside ${place} are refused, and it goes on`, async (t) => {
    const refusals: unknown[] = []
    let isArmed = false
    const coordinator = plain((at) => {
      if (at !== place || !isArmed) return
      isArmed = false
      const refused = (call: () => unknown): void => {
        try {
          void Promise.resolve(call()).catch((error: LedgerstoneError) => refusals.push(error.code))
        } catch (error) {
          refusals.push((error as LedgerstoneError).code)
        }
      }
      for (const call of [() => coordinator.write(2), () => coordinator.tryWrite(2), () => coordinator.flush(), () => coordinator.pause(), () => coordinator.close()])
        refused(call)
      coordinator.view()
      coordinator.stats()
    })
    isArmed = true
    const handle = coordinator.tryWrite(1)
    await handle.wait()
    t.deepEqual(
      refusals,
      Array.from({ length: 5 }, () => 'ERR_TRANSACTION_OPEN'),
    )
    t.is(coordinator.view().epochs.applied, 1)
    await coordinator.close()
    t.is(coordinator.failure, undefined)
  })
}

test('a flusher may write; what would wait for its own call is refused, and is not when that is over', async (t) => {
  const refusals: (string | undefined)[] = []
  let later: Promise<void> | undefined
  const ended = new Deferred<void>()
  const codeOf = (promise: Promise<unknown>): Promise<void> =>
    promise.then(
      () => void refusals.push('resolved'),
      (error: LedgerstoneError) => void refusals.push(error.code),
    )
  const coordinator = numbers(
    new MemoryFlusher({
      async flushDelta(frozen, { start }) {
        await turn()
        if (start > 1) return frozen
        const handle = await coordinator.write(2)
        for (const promise of [coordinator.flush(), coordinator.pause(), coordinator.close(), handle.wait()]) await codeOf(promise)
        t.deepEqual(coordinator.view().epochs, { applied: 2, written: 0, durable: 0 })
        later = (async () => {
          await ended.promise
          await coordinator.flush('durable')
        })()
        return frozen
      },
    }),
  )
  await coordinator.tryWrite(1).wait('written')
  t.deepEqual(
    refusals,
    Array.from({ length: 4 }, () => 'ERR_TRANSACTION_OPEN'),
  )
  ended.resolve()
  await later
  t.is(coordinator.view().epochs.durable, 2)
  await coordinator.close()
})

test('a coordinator that is written to by the flusher of another may flush', async (t) => {
  const inner = numbers(new MemoryFlusher())
  const outer = numbers(
    new MemoryFlusher({
      async flushDelta(frozen) {
        for (const n of frozen) await (await inner.write(n)).wait('durable')
        await inner.flush()
        return frozen
      },
    }),
  )
  await outer.tryWrite(1).wait()
  t.is(inner.view().epochs.durable, 1)
  await outer.close()
  await inner.close()
})

// Kind "cut off without `finally`": V8 ends a function without it when the time of `vm` is over.
test('an apply that is cut off ends it, as nobody knows what it has left', async (t) => {
  const coordinator = plain((at) => {
    if (at === 'apply') for (;;);
  })
  const script = new Script('write(1)')
  const write = (n: number): unknown => coordinator.tryWrite(n)
  const context = Object.assign(globalThis, { write })
  t.throws(() => script.runInThisContext({ timeout: 20 }), { code: 'ERR_SCRIPT_EXECUTION_TIMEOUT' })
  delete (context as { write?: unknown }).write
  await turn()
  t.is(coordinator.failure?.code, 'ERR_POISONED')
  await t.throwsAsync(coordinator.write(1), { is: coordinator.failure as Error })
})

test('an apply that returns a promise ends it: it may fail when it has long been acknowledged', async (t) => {
  const coordinator = plain((at) => (at === 'apply' ? Promise.reject(new Error('too late')) : undefined))
  const handle = coordinator.tryWrite(1)
  await t.throwsAsync(handle.wait('written'), { code: 'ERR_POISONED' })
  t.like(coordinator.failure?.cause, { code: 'ERR_ASYNC_TRANSACTION' })
})

// Kind "whose context".
test("a write is applied in the async context of its call, deltas and flushes are made in the constructor's", async (t) => {
  const storage = new AsyncLocalStorage<string>()
  const seen = new Map<string, Set<string | undefined>>()
  const note = (what: string): void => void (seen.get(what) ?? seen.set(what, new Set()).get(what))?.add(storage.getStore())
  const gate = new Deferred<void>()
  const flusher = {
    async flushDelta(frozen: number): Promise<number> {
      note('flush')
      await gate.promise
      note('flush')
      return frozen
    },
    flushStorage: async (): Promise<void> => note('flush'),
  }
  const coordinator = storage.run('maker', () => plain(note, flusher))
  await storage.run('first', () => coordinator.write(1))
  const pause = await coordinator.pause()
  const held = storage.run('second', () => coordinator.write(2))
  storage.run('releaser', () => pause.release())
  await held
  const durable = storage.run('waiter', () => coordinator.flush('durable'))
  storage.run('opener', () => gate.resolve())
  await durable
  t.deepEqual(Object.fromEntries(seen), {
    init: new Set(['maker']),
    reader: new Set(['maker']),
    freeze: new Set(['maker']),
    flush: new Set(['maker']),
    apply: new Set(['first', 'second']),
    estimateSize: new Set(['first', 'second']),
  })
  await coordinator.close()
})

test('flushers that answer in every odd way', async (t) => {
  const odd: Record<string, readonly [answer: () => unknown, code: string]> = {
    'a value instead of a promise': [() => [1], 'resolved'],
    'a thenable': [() => thenable({ value: (resolve: (value: unknown) => void) => resolve([1]) }), 'resolved'],
    'a thenable that answers twice': [
      () => thenable({ value: (resolve: (value: unknown) => void, reject: (error: unknown) => void) => (resolve([1]), reject(new Error('twice'))) }),
      'resolved',
    ],
    'a getter `then` that throws': [
      () =>
        thenable({
          get: () => {
            throw new Error('then')
          },
        }),
      'ERR_POISONED',
    ],
    'a throw': [
      () => {
        throw new Error('at once')
      },
      'ERR_POISONED',
    ],
    'a throw of nothing': [
      () => {
        throw undefined
      },
      'ERR_POISONED',
    ],
    'an error whose `retryable` throws': [
      () =>
        Promise.reject(
          Object.defineProperty(new Error('odd'), 'retryable', {
            get() {
              throw new Error('getter')
            },
          }),
        ),
      'ERR_POISONED',
    ],
  }
  for (const [title, [answer, expected]] of Object.entries(odd)) {
    for (const method of ['flushDelta', 'flushStorage']) {
      const coordinator = numbers(new MemoryFlusher({ [method]: answer }), { retry: { attempts: 3 } })
      const outcome = await coordinator
        .tryWrite(1)
        .wait()
        .then(
          () => 'resolved',
          (error: LedgerstoneError) => error.code,
        )
      t.is(outcome, expected, `${method}: ${title}`)
      await coordinator.close().catch(() => {})
    }
  }
})

test('4,096 waits on one signal are one listener, and none at the end', async (t) => {
  const flusher = new MemoryFlusher()
  flusher.gate = new Deferred()
  const coordinator = numbers(flusher, { maxPendingBytes: 16 * 2048 })
  const { signal } = new AbortController()
  const writes = Array.from({ length: 4096 }, (_, n) => coordinator.write(n, { signal }))
  const handle = (await writes[0]) as Awaited<(typeof writes)[0]>
  const waits = Array.from({ length: 4096 }, () => handle.wait('durable', { signal }))
  t.is(getEventListeners(signal, 'abort').length, 1)
  flusher.gate.resolve()
  await Promise.all([...writes, ...waits])
  t.is(getEventListeners(signal, 'abort').length, 0)
  await coordinator.close({ signal })
  t.is(getEventListeners(signal, 'abort').length, 0)
})

test('an aborted signal takes a write out of the queue, ends a wait, and nothing else', async (t) => {
  const flusher = new MemoryFlusher()
  flusher.gate = new Deferred()
  const coordinator = numbers(flusher, { maxPendingBytes: 16 })
  const handle = coordinator.tryWrite(1)
  const { signal, abort } = abortable()
  void handle.wait('written')
  await turn()
  const given = [coordinator.write(2, { signal }), handle.wait('written', { signal }), coordinator.flush('durable', { signal }), coordinator.pause({ signal })]
  const kept = coordinator.write(3)
  abort(new Error('given up'))
  for (const promise of given) await t.throwsAsync(promise, { message: 'given up' })
  for (const call of [
    () => coordinator.write(4, { signal }),
    () => handle.wait('applied', { signal }),
    () => coordinator.flush('written', { signal }),
    () => coordinator.pause({ signal }),
  ]) {
    await t.throwsAsync(call, { message: 'given up' })
  }
  await t.throwsAsync(async () => coordinator.subscribe({ signal })[Symbol.asyncIterator]().next(), { message: 'given up' })
  t.false(coordinator.isPaused)
  flusher.gate.resolve()
  await kept
  await coordinator.close()
  t.deepEqual(flusher.stored, [1, 3])
})

// Bug: a delta was handed to the flusher after the failure. Mechanism: `freeze` ran the user's code, which gave up closing, and nobody looked again. Fix: it
// is looked again. The same for a signal whose getter closes the coordinator that it was given to.
test('closing that is given up from inside a function of the delta calls the flusher no more, and a signal that closes lets no write in', async (t) => {
  for (const place of ['freeze', 'init', 'reader', 'apply', 'estimateSize'] as const) {
    const controller = new AbortController()
    const flushed: number[] = []
    let isArmed = false
    const coordinator = plain(
      (at) => {
        if (at === place && isArmed) controller.abort(new Error('given up'))
      },
      { flushDelta: async (frozen) => (flushed.push(frozen), frozen), flushStorage: async () => {} },
    )
    coordinator.tryWrite(1)
    const pause = await coordinator.pause()
    const held = coordinator.write(2)
    pause.release()
    const closing = coordinator.close({ signal: controller.signal })
    isArmed = true
    await t.throwsAsync(closing, { message: 'given up' })
    await turn()
    t.deepEqual(flushed, [], place)
    await held
    const { epochs, current, frozen } = coordinator.view()
    t.deepEqual(epochs, { applied: 2, written: 0, durable: 0 })
    t.true(current > 0 && frozen.length <= 1)
  }
  const coordinator = numbers(new MemoryFlusher())
  const { signal } = new AbortController()
  const closes = {
    get aborted() {
      void coordinator.close()
      return false
    },
    addEventListener: signal.addEventListener.bind(signal),
    removeEventListener: () => {},
  }
  await t.throwsAsync(coordinator.write(1, { signal: closes as never }), { code: 'ERR_CLOSED' })
  await coordinator.close()
  t.is(coordinator.view().epochs.applied, 0)
})

test('a signal that throws when it is listened to is refused, and leaves nothing behind', async (t) => {
  const flusher = new MemoryFlusher()
  flusher.gate = new Deferred()
  const coordinator = numbers(flusher, { maxPendingBytes: 16 })
  const handle = coordinator.tryWrite(1)
  void coordinator.flush()
  await turn()
  const evil = (): AbortSignal =>
    ({
      aborted: false,
      addEventListener: () => {
        throw new Error('evil')
      },
      removeEventListener: () => {},
    }) as never
  for (const call of [
    () => coordinator.write(2, { signal: evil(), timeoutMs: 1 }),
    () => handle.wait('written', { signal: evil() }),
    () => coordinator.flush('written', { signal: evil() }),
    () => coordinator.pause({ signal: evil(), timeoutMs: 1 }),
  ]) {
    await t.throwsAsync(call, { message: 'evil' })
  }
  t.deepEqual([coordinator.stats().waiting, coordinator.isPaused], [0, false])
  await new Promise((resolve) => setTimeout(resolve, 5)) // a timer that was left would end the process
  flusher.gate.resolve()
  await coordinator.close()
  t.deepEqual(flusher.stored, [1])
})

function thenable(descriptor: PropertyDescriptor): object {
  // oxlint-disable-next-line unicorn/no-thenable -- what is tested
  return Object.defineProperty({}, 'then', descriptor)
}

function abortable(): { signal: AbortSignal; abort: (reason: unknown) => void } {
  const controller = new AbortController()
  return { signal: controller.signal, abort: (reason) => controller.abort(reason) }
}

// Bug: a flusher that disposes its coordinator while that is closing hung for ever. Mechanism: disposing waited for the end of the closing, which waited for this very call. Fix: it
// looks whether it is inside, as `close` does.
test('a flusher that disposes its coordinator while that is closing is refused', async (t) => {
  let code: string | undefined
  const flusher = new MemoryFlusher({
    async flushDelta() {
      code = await coordinator[Symbol.asyncDispose]().then(
        () => 'resolved',
        (error: { code: string }) => error.code,
      )
      return []
    },
  })
  const coordinator = numbers(flusher)
  await coordinator.write(1)
  await coordinator.close()
  t.is(code, 'ERR_TRANSACTION_OPEN')
  await coordinator[Symbol.asyncDispose]()
})

// Bug: a flusher was called again, and again, after closing had been given up. Mechanism: the look at the error's `retryable` ran the user's code, which gave it up; the signal had been looked
// at before. Fix: it is looked at after.
test('giving up from inside the error of a flusher ends its tries', async (t) => {
  const controller = new AbortController()
  let calls = 0
  const flusher = new MemoryFlusher({
    async flushDelta() {
      calls++
      throw Object.defineProperty(new Error('odd'), 'retryable', {
        get() {
          controller.abort(new Error('enough'))
          return true
        },
      })
    },
  })
  const coordinator = numbers(flusher, { retry: { attempts: 5, minDelayMs: 1, maxDelayMs: 1 } })
  await coordinator.write(1)
  await t.throwsAsync(coordinator.close({ signal: controller.signal }), { message: 'enough' })
  for (let n = 0; n < 20; n++) await new Promise((resolve) => setTimeout(resolve, 2))
  t.is(calls, 1)
})
