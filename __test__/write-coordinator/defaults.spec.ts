// The defaults that the comments of the options promise, on a scripted clock. Nothing else uses them: the other tests choose small bounds and short times.
import test, { type ExecutionContext } from 'ava'
import type { CoordinatorOptions } from '../../src/write-coordinator/coordinator-types.ts'
import { WriteCoordinator } from '../../src/write-coordinator/write-coordinator.ts'
import { isPending } from '../support/turns.ts'
import { ScriptedSchedule } from './scripted-schedule.ts'
import { again, type Listed, ScriptedDelta, ScriptedFlusher } from './scripted-storage.ts'

const MIB = 1024 * 1024

function scene(options: Partial<CoordinatorOptions<Listed>> = {}): { coordinator: WriteCoordinator<Listed>; schedule: ScriptedSchedule; flusher: ScriptedFlusher } {
  const schedule = new ScriptedSchedule()
  const flusher = new ScriptedFlusher(() => {})
  const init = (n: number): ScriptedDelta => new ScriptedDelta(n, {}, () => {})
  return { coordinator: new WriteCoordinator<Listed>({ init, context: 1, snapshot: [], flusher, ...options }, schedule), schedule, flusher }
}

/** Moves the clock and settles; whether the flusher has been called by then. */
async function isCalledWithin(ms: number, { schedule, flusher }: ReturnType<typeof scene>): Promise<boolean> {
  const { calls } = flusher
  schedule.advance(ms)
  await schedule.settle()
  return flusher.calls > calls
}

test('a delta is frozen a second after its first write', async (t) => {
  const it = scene()
  it.coordinator.tryWrite({ id: 1, bytes: 1 })
  t.false(await isCalledWithin(999, it))
  it.coordinator.tryWrite({ id: 2, bytes: 1 })
  t.true(await isCalledWithin(1, it))
})

test('a delta is frozen at 64 MiB, however many writes it has', async (t) => {
  const it = scene()
  for (let id = 1; id <= 1000; id++) it.coordinator.tryWrite({ id, bytes: 1 })
  it.coordinator.tryWrite({ id: 1001, bytes: 64 * MIB - 1001 })
  t.is(it.coordinator.view().frozen.length, 0)
  it.coordinator.tryWrite({ id: 1002, bytes: 1 })
  t.is(it.coordinator.view().frozen.length, 1)
})

test('four times `flush.bytes` may be pending', (t) => {
  for (const [flush, most] of [
    [undefined, 256 * MIB],
    [{ bytes: 10 }, 40],
  ] as const) {
    const { coordinator } = scene({ flush })
    coordinator.tryWrite({ id: 1, bytes: most - 1 })
    coordinator.tryWrite({ id: 2, bytes: 1 })
    t.throws(() => coordinator.tryWrite({ id: 3, bytes: 1 }), { code: 'ERR_BACKPRESSURE' })
  }
})

test('`wait` waits for durable', async (t) => {
  const { coordinator, schedule, flusher } = scene()
  const waiting = coordinator.tryWrite({ id: 1, bytes: 1 }).wait()
  await schedule.settle()
  flusher.answer()
  await schedule.settle()
  t.deepEqual([coordinator.view().epochs.written, flusher.pending[0]?.kind, await isPending(waiting)], [1, 'storage', true])
  flusher.answer()
  await schedule.settle()
  t.is(await waiting, 'result 1')
})

test('no call of the flusher is repeated', async (t) => {
  const { coordinator, schedule, flusher } = scene()
  const waiting = coordinator.tryWrite({ id: 1, bytes: 1 }).wait()
  await schedule.settle()
  flusher.answer(again())
  await t.throwsAsync(waiting, { code: 'ERR_POISONED' })
  t.is(flusher.calls, 1)
})

test.serial('the longest wait for a retry is 10 ms at first, and 1,000 in the end; the shortest is half of it', async (t) => {
  const { random } = Math
  t.teardown(() => void (Math.random = random))
  for (const [chance, first, last] of [
    [0, 5, 500],
    [1 - Number.EPSILON, 10, 1000],
  ] as const) {
    Math.random = () => chance
    const it = scene({ retry: { attempts: 20 } })
    it.coordinator.tryWrite({ id: 1, bytes: 1 })
    await isCalledWithin(1000, it)
    for (let n = 0; n < 19; n++) {
      it.flusher.answer(again())
      await it.schedule.settle()
      const ms = Math.min(first * 2 ** n, last)
      t.false(await isCalledWithin(ms - 1, it), `not before ${ms} ms`)
      t.true(await isCalledWithin(1, it), `not after ${ms} ms`)
    }
  }
})

test('a pause gives up after 30 s, a write never', async (t) => {
  const it = scene({ maxPendingBytes: 1 })
  it.coordinator.tryWrite({ id: 1, bytes: 1 })
  t.true(await isCalledWithin(1000, it), 'a flush that takes its time')
  const pausing = it.coordinator.pause()
  const writing = it.coordinator.write({ id: 2, bytes: 1 })
  await lasts(t, pausing, it.schedule, 29_999)
  it.schedule.advance(1)
  await t.throwsAsync(pausing, { code: 'ERR_TIMEOUT' })
  await lasts(t, writing, it.schedule, 2 ** 31)
  it.flusher.answer()
  await it.schedule.settle()
  t.is((await writing).epoch, 2)
})

async function lasts(t: ExecutionContext, promise: Promise<unknown>, schedule: ScriptedSchedule, ms: number): Promise<void> {
  schedule.advance(ms)
  await schedule.settle()
  t.true(await isPending(promise))
}
