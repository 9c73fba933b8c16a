// What coordinators of this kind got wrong elsewhere. Each test's title is the claim; its comment says what went wrong without it. None of these could be
// seen to fail first: the coordinator was written against them. The model test has the interleavings.
import test from 'ava'
import { Deferred } from '../../src/internal/deferred.ts'
import type { LedgerstoneError } from '../../src/index.ts'
import type { CoordinatorTypes, Delta } from '../../src/write-coordinator/coordinator-types.ts'
import { WriteCoordinator } from '../../src/write-coordinator/index.ts'
import { isPending, turn } from '../support/turns.ts'
import { MemoryFlusher, numbers, shown } from './coordinating.ts'
import { again, type Listed, ScriptedDelta } from './scripted-storage.ts'

const DEAD = new Error('the storage is dead')
const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'resolved',
    (error: LedgerstoneError) => error.code,
  )

// Elsewhere: one failed flush ended the flush task silently; 5,000 later writes were acknowledged, none was flushed, `wait` hung.
test('one failed flush reaches everybody who waits and all later writes', async (t) => {
  const gate = new Deferred<never>()
  const coordinator = numbers(new MemoryFlusher({ flushDelta: () => gate.promise }), { flush: { writes: 2 }, maxPendingBytes: 64 })
  const handles = await Promise.all([1, 2, 3, 4].map((n) => coordinator.write(n)))
  await turn()
  const waiting = [
    ...handles.flatMap((handle) => [handle.wait('written'), handle.wait('durable')]),
    coordinator.write(5),
    coordinator.flush(),
    coordinator.flush('durable'),
    coordinator.pause(),
  ].map(codeOf)
  await turn()
  gate.reject(DEAD)
  t.deepEqual(
    await Promise.all(waiting),
    waiting.map(() => 'ERR_POISONED'),
  )
  t.is(coordinator.failure?.cause, DEAD)
  for (const late of [() => coordinator.write(6), () => coordinator.flush(), () => coordinator.pause(), () => handles[0]?.wait(), () => coordinator.close()]) {
    await t.throwsAsync(async () => late(), { code: 'ERR_POISONED' })
  }
  t.throws(() => coordinator.tryWrite(6), { is: coordinator.failure as Error })
  t.deepEqual(shown(coordinator), [1, 2, 3, 4], 'the view stays')
  t.deepEqual(await handles[0]?.wait('applied'), undefined)
})

// Elsewhere: `stop` answered Ok or an error at random and dropped queued writes that had been accepted.
test('close applies and flushes what was accepted, also what waits for room, and refuses what comes after', async (t) => {
  const flusher = new MemoryFlusher()
  flusher.gate = new Deferred()
  const coordinator = numbers(flusher, { maxPendingBytes: 32 })
  const writes = Array.from({ length: 20 }, (_, n) => coordinator.write(n))
  t.is(coordinator.stats().waiting, 18)
  const ends = [coordinator.close(), coordinator.close()]
  await t.throwsAsync(coordinator.write(99), { code: 'ERR_CLOSED' })
  flusher.gate.resolve()
  await Promise.all(ends)
  t.deepEqual(
    (await Promise.all(writes)).map(({ epoch }) => epoch),
    Array.from({ length: 20 }, (_, n) => n + 1),
  )
  t.deepEqual([flusher.stored.length, flusher.synced, flusher.storageFlushes], [20, 20, 1])
  t.deepEqual(coordinator.view().epochs, { applied: 20, written: 20, durable: 20 })
  await coordinator.close()
  t.deepEqual(shown(coordinator).length, 20, 'the view stays')
})

// Elsewhere: `durable` moved only after an explicit call that nobody made.
test('durable moves when somebody waits for it, once for all who do, and not otherwise', async (t) => {
  const flusher = new MemoryFlusher()
  const coordinator = numbers(flusher)
  const handles = [1, 2, 3].map((n) => coordinator.tryWrite(n))
  await handles[0]?.wait('written')
  t.deepEqual([flusher.flushes, flusher.storageFlushes], [1, 0])
  await Promise.all(handles.map((handle) => handle.wait()))
  t.deepEqual([flusher.flushes, flusher.storageFlushes, coordinator.view().epochs.durable], [1, 1, 3])
  await coordinator.flush('durable')
  t.is(flusher.storageFlushes, 1, 'it is there already')
  await coordinator.close()
})

// Elsewhere: the watermark was published before the view, so a caller that it woke did not find what it promised.
test('a view is published before the mark that promises it', async (t) => {
  const coordinator = numbers(new MemoryFlusher(), { flush: { writes: 2 } })
  const levels = ['written', 'durable'] as const
  const found: boolean[] = []
  const look = async (n: number): Promise<void> => {
    const handle = coordinator.tryWrite(n)
    const waits = levels.map(async (level) => {
      await handle.wait(level)
      const { snapshot, epochs } = coordinator.view()
      found.push(snapshot.includes(n) && epochs[level] >= handle.epoch)
    })
    await Promise.all(waits)
  }
  const subscriber = async (): Promise<void> => {
    for await (const { snapshot, epochs } of coordinator.subscribe()) found.push(snapshot.length === epochs.written)
  }
  const subscribing = subscriber()
  await Promise.all(Array.from({ length: 10 }, (_, n) => look(n)))
  await coordinator.close()
  await subscribing
  t.true(found.length > 22 && found.every((isRight) => isRight))
})

// Elsewhere: the gate's counter leaked on an error path, a pause that timed out left it paused, the first write after a pause still went through.
test('a pause lets nothing through, and one that times out leaves nothing behind', async (t) => {
  const flusher = new MemoryFlusher()
  flusher.gate = new Deferred()
  const coordinator = numbers(flusher)
  coordinator.tryWrite(1)
  const written = coordinator.flush()
  await turn()
  await t.throwsAsync(coordinator.pause({ timeoutMs: 5 }), { code: 'ERR_TIMEOUT' })
  t.false(coordinator.isPaused)
  coordinator.tryWrite(2)
  const pausing = coordinator.pause()
  t.true(coordinator.isPaused, 'writes are kept out at once')
  const write = coordinator.write(3)
  flusher.gate.resolve()
  const pause = await pausing
  await written
  t.throws(() => coordinator.tryWrite(4), { code: 'ERR_PAUSED' })
  await t.throwsAsync(coordinator.write(4, { timeoutMs: 0 }), { code: 'ERR_PAUSED' })
  const flush = coordinator.flush()
  t.true((await isPending(write)) && (await isPending(flush)))
  t.deepEqual([flusher.flushes, shown(coordinator)], [1, [1, 2]])
  pause.release()
  pause.release()
  await Promise.all([write, flush])
  await coordinator.close()
  t.deepEqual(flusher.stored, [1, 2, 3])
})

// Elsewhere: back-pressure in counts and not bytes.
test('back-pressure counts bytes: one large write stands for many small ones', async (t) => {
  const flusher = new MemoryFlusher()
  flusher.gate = new Deferred()
  const coordinator = new WriteCoordinator<Listed>({
    init: (n) => new ScriptedDelta(n, {}, () => {}),
    context: 1,
    snapshot: [],
    maxPendingBytes: 1000,
    flusher: { flushDelta: async (frozen) => (await flusher.gate?.promise, frozen), flushStorage: async () => {} },
  })
  for (let id = 1; id < 100; id++) coordinator.tryWrite({ id, bytes: 1 })
  coordinator.tryWrite({ id: 100, bytes: 5000 })
  const error = t.throws(() => coordinator.tryWrite({ id: 101, bytes: 1 }), { code: 'ERR_BACKPRESSURE' }) as LedgerstoneError & { pendingBytes: number }
  t.is(error.pendingBytes, 5099)
  const waiting = coordinator.write({ id: 101, bytes: 1 })
  await t.throwsAsync(coordinator.write({ id: 102, bytes: 1 }, { timeoutMs: 5 }), { code: 'ERR_TIMEOUT' })
  await t.throwsAsync(coordinator.write({ id: 102, bytes: 1 }, { timeoutMs: 0 }), { code: 'ERR_BACKPRESSURE' })
  flusher.gate.resolve()
  t.is((await waiting).epoch, 101)
  await coordinator.close()
})

// Elsewhere: `flush()` rejected because the queue was full.
test('flush waits, however full it is', async (t) => {
  const flusher = new MemoryFlusher()
  flusher.gate = new Deferred()
  const coordinator = numbers(flusher, { maxPendingBytes: 1 })
  const writes = [1, 2, 3].map((n) => coordinator.write(n))
  const flush = coordinator.flush()
  t.true(await isPending(flush))
  flusher.gate.resolve()
  await flush
  await Promise.all(writes)
  await coordinator.close()
  t.deepEqual(flusher.stored, [1, 2, 3])
})

test('a slow subscriber never blocks, and never misses the newest', async (t) => {
  const flusher = new MemoryFlusher()
  const coordinator = numbers(flusher)
  const views = coordinator.subscribe()[Symbol.asyncIterator]()
  t.deepEqual((await views.next()).value?.epochs.applied, 0)
  for (let n = 0; n < 1000; n++) coordinator.tryWrite(n)
  await coordinator.flush('durable')
  t.deepEqual((await views.next()).value?.epochs, { applied: 1000, written: 1000, durable: 1000 }, 'it skips')
  const next = views.next()
  t.true(await isPending(next))
  coordinator.tryWrite(1000)
  t.is((await next).value?.epochs.applied, 1001)
  await coordinator.close()
  t.is((await views.next()).value?.epochs.durable, 1001)
  t.deepEqual(await views.next(), { value: undefined, done: true })
})

test('a subscriber of one that fails gets the newest view, then the failure; return() ends one that waits', async (t) => {
  const coordinator = numbers(new MemoryFlusher({ flushDelta: () => Promise.reject(DEAD) }))
  const views = coordinator.subscribe()[Symbol.asyncIterator]()
  await views.next()
  const other = coordinator.subscribe()[Symbol.asyncIterator]()
  await other.next()
  const waiting = other.next()
  await other.return?.()
  t.deepEqual(await waiting, { value: undefined, done: true })
  coordinator.tryWrite(1)
  await t.throwsAsync(coordinator.flush(), { code: 'ERR_POISONED' })
  t.is((await views.next()).value?.epochs.applied, 1)
  await t.throwsAsync(async () => void (await views.next()), { is: coordinator.failure as Error })
  t.deepEqual(await views.next(), { value: undefined, done: true })
})

test('an apply that throws leaves delta and epochs as they were, and its error passes through', async (t) => {
  const coordinator = new WriteCoordinator<Listed>({
    init: (n) => new ScriptedDelta(n, {}, () => {}),
    context: 1,
    snapshot: [],
    flusher: { flushDelta: async (frozen) => frozen, flushStorage: async () => {} },
  })
  const { message } = t.throws(() => coordinator.tryWrite({ id: 1, bytes: 1, isBad: true })) as Error
  t.is(message, 'a bad write')
  await t.throwsAsync(coordinator.write({ id: 1, bytes: 1, isBad: true }), { message })
  t.deepEqual(coordinator.stats(), {
    epochs: { applied: 0, written: 0, durable: 0 },
    pendingBytes: 0,
    frozen: 0,
    waiting: 0,
    flushes: 0,
    storageFlushes: 0,
    lastFlushMs: 0,
  })
  t.is(coordinator.tryWrite({ id: 2, bytes: 1 }).epoch, 1)
  await coordinator.close()
})

for (const what of ['freeze', 'init', 'reader', 'estimateSize'] as const) {
  for (const [title, fault] of [
    ['throws', DEAD],
    ['gives garbage', what === 'freeze' || what === 'init' ? {} : Number.NaN],
  ] as const) {
    if (what === 'reader' && fault !== DEAD) continue // whatever it gives is a reader
    test(`${what} that ${title} ends it cleanly`, async (t) => {
      const faults: Record<string, unknown> = {}
      const init = (n: number): ScriptedDelta => {
        const fault = faults['init']
        if (fault instanceof Error) throw fault
        return (fault as never) ?? new ScriptedDelta(n, faults, () => {})
      }
      const coordinator = new WriteCoordinator<Listed>({
        init,
        context: 1,
        snapshot: [],
        flusher: { flushDelta: async (frozen) => frozen, flushStorage: async () => {} },
      })
      const handle = coordinator.tryWrite({ id: 1, bytes: 1 })
      faults[what] = fault
      if (what === 'estimateSize') coordinator.tryWrite({ id: 2, bytes: 1 })
      await t.throwsAsync(handle.wait(), { code: 'ERR_POISONED' })
      if (fault === DEAD) t.is(coordinator.failure?.cause, DEAD)
      else t.like(coordinator.failure?.cause, { code: 'ERR_INVALID_ARGUMENT' })
      const { current, epochs } = coordinator.view()
      t.is(current.length, epochs.applied, 'what is applied is still shown')
      await t.throwsAsync(coordinator.close(), { is: coordinator.failure as Error })
    })
  }
}

test("the constructor's `init` throws as it is", (t) => {
  const init = (): never => {
    throw DEAD
  }
  t.throws(() => numbers(new MemoryFlusher(), { init }), { is: DEAD })
})

// Elsewhere: a failed flush was retried as if harmless.
test('a flush is tried again only when its error allows it, as often as was said', async (t) => {
  for (const [error, attempts, calls, code] of [
    [again(), 3, 3, 'resolved'],
    [again(), 2, 2, 'ERR_POISONED'],
    [DEAD, 3, 1, 'ERR_POISONED'],
  ] as const) {
    for (const method of ['flushDelta', 'flushStorage'] as const) {
      let n = 0
      const fails = async (): Promise<never> => {
        if (++n < 3) throw error
        return [1] as never
      }
      const coordinator = numbers(new MemoryFlusher({ [method]: fails }), { retry: { attempts, minDelayMs: 1 } })
      t.is(await codeOf(coordinator.tryWrite(1).wait()), code)
      t.is(n, calls)
      await coordinator.close().catch(() => {})
    }
  }
})

test('close that is given up aborts the flusher and ends it as failed, whatever the flusher does', async (t) => {
  const signals: AbortSignal[] = []
  const late = new Deferred<readonly number[]>()
  const coordinator = numbers(new MemoryFlusher({ flushDelta: (_, __, { signal }) => (signals.push(signal), late.promise) }), { retry: { attempts: 5 } })
  const handle = coordinator.tryWrite(1)
  const waiting = codeOf(handle.wait('written'))
  const controller = new AbortController()
  const closing = coordinator.close({ signal: controller.signal })
  const other = codeOf(coordinator.close())
  await turn()
  controller.abort(DEAD)
  await t.throwsAsync(closing, { is: DEAD })
  t.deepEqual([await waiting, await other, signals[0]?.aborted, coordinator.failure?.cause], ['ERR_POISONED', 'ERR_POISONED', true, DEAD])
  late.resolve([1])
  await turn()
  t.deepEqual(coordinator.view().epochs, { applied: 1, written: 0, durable: 0 }, 'an answer that is late is not heard')
  await t.throwsAsync(coordinator.close(), { is: coordinator.failure as Error })
  await coordinator[Symbol.asyncDispose]()
  t.is(signals.length, 1)
})

test('a view is one point: it stays as it is while writes and flushes go on', async (t) => {
  const flusher = new MemoryFlusher()
  const coordinator = numbers(flusher, { flush: { writes: 2 } })
  for (const n of [1, 2, 3]) coordinator.tryWrite(n)
  const view = coordinator.view()
  t.deepEqual(
    [view.current, view.frozen.map(({ value, epochs }) => [value, epochs]), view.snapshot, view.epochs],
    [[3], [[[1, 2], { start: 1, end: 3 }]], [], { applied: 3, written: 0, durable: 0 }],
  )
  coordinator.tryWrite(4)
  await coordinator.flush()
  coordinator.tryWrite(5)
  t.deepEqual([view.current, view.frozen.map(({ value }) => value), view.snapshot], [[3, 4], [[1, 2]], []], 'its delta went on until it was frozen')
  t.throws(() => (view.frozen as unknown[]).push(1), { instanceOf: TypeError }, 'it is shared with others')
  await coordinator.close()
})

interface Mixed extends CoordinatorTypes {
  Context: string
  Write: number
  ApplyResult: string
  Frozen: number[]
  FrozenView: number[]
  DeltaView: number[]
  Snapshot: number
}
test('what freeze hands on is the context of the next delta', async (t) => {
  const contexts: string[] = []
  const init = (context: string): Delta<Mixed> => {
    contexts.push(context)
    const kept: number[] = []
    return {
      apply: (n) => String(kept.push(n)),
      estimateSize: () => 0,
      freeze: () => ({ frozen: kept, view: kept, context: `${context}${kept.length}` }),
      reader: () => kept,
    }
  }
  const coordinator = new WriteCoordinator<Mixed>({
    init,
    context: 'a',
    snapshot: 0,
    flusher: { flushDelta: async (_, { end }) => end, flushStorage: async () => {} },
    flush: { writes: 2 },
  })
  t.deepEqual(
    [1, 2, 3].map((n) => coordinator.tryWrite(n).result),
    ['1', '2', '1'],
  )
  await coordinator.close()
  t.deepEqual([contexts, coordinator.view().snapshot], [['a', 'a2', 'a21'], 4])
})
