// The event loop has its turns, whatever is awaited; what is written keeps the process alive, and nothing else does.
import test from 'ava'
import { Deferred } from '../../src/internal/deferred.ts'
import { runChild } from '../support/child.ts'
import { turn } from '../support/turns.ts'
import { MemoryFlusher, numbers } from './coordinating.ts'

/** So many turns come before so many steps; some seconds' worth of them, where they come every few milliseconds. */
const TURNS = 4
const STEPS = 2_000_000

const scene = (name: string): ReturnType<typeof runChild> =>
  runChild(new URL('scenes.ts', import.meta.url), { args: [name], nodeArgs: ['--expose-gc'], limitMs: 600_000 })

// Kind "asynchronous by type only".
test.serial('writes, refusals, waits and views that are awaited one after another leave the loop its turns', async (t) => {
  const coordinator = numbers(new MemoryFlusher(), { flush: { writes: 100 } })
  const handle = coordinator.tryWrite(0)
  await handle.wait()
  const views = coordinator.subscribe()[Symbol.asyncIterator]()
  const awaited: Record<string, () => Promise<unknown>> = {
    write: () => coordinator.write(1),
    'write and wait': async () => (await coordinator.write(1)).wait('durable'),
    'a wait that is reached': () => handle.wait(),
    'a flush of nothing': () => coordinator.flush('durable'),
    'a refusal': () => handle.wait('forever' as never).catch(() => {}),
    'a view': async () => (coordinator.tryWrite(1), views.next()),
    'a pause': async () => (await coordinator.pause()).release(),
  }
  for (const [what, step] of Object.entries(awaited)) {
    const counting = { turns: 0, isOver: false }
    const count = async (): Promise<void> => {
      for (; !counting.isOver; counting.turns++) await turn()
    }
    const counted = count()
    let steps = 0
    for (; counting.turns < TURNS && steps < STEPS; steps++) await step()
    counting.isOver = true
    await counted
    t.true(steps < STEPS, `${what}: ${counting.turns} turns in ${steps} steps`)
  }
  await coordinator.close()
})

test.serial('what is written in one turn, and waited for, is one flush', async (t) => {
  const flusher = new MemoryFlusher()
  const coordinator = numbers(flusher)
  await Promise.all(Array.from({ length: 1000 }, async (_, n) => (await coordinator.write(n)).wait()))
  t.deepEqual([flusher.flushes, flusher.storageFlushes], [1, 1])
  flusher.gate = new Deferred()
  const first = coordinator.tryWrite(1).wait()
  await turn()
  const others = Array.from({ length: 1000 }, (_, n) => coordinator.tryWrite(n).wait())
  flusher.gate.resolve()
  await Promise.all([first, ...others])
  t.deepEqual([flusher.flushes, flusher.storageFlushes], [3, 3], 'all that came while one ran is the next')
  await coordinator.close()
})

test.serial('what nobody waits for is flushed after its interval, and keeps the process alive until then; what idles does not', async (t) => {
  const ended = await scene('forgotten')
  t.deepEqual([ended.code, ended.stderr, ended.reports], [0, '', ['closed 3', 'flushed 1']])
})

test.serial('memory stays where it was over 10 million writes, and nothing is left after close', async (t) => {
  const ended = await scene('memory')
  t.deepEqual([ended.code, ended.stderr], [0, ''])
  const [early, late, left] = ended.reports.map(Number) as [number, number, number]
  t.log(`heap ${(early / 1e6).toFixed(1)} then ${(late / 1e6).toFixed(1)} MB`)
  t.true(late < early + 4e6)
  t.is(left, 0, 'promises, timers and turns that are left')
})

test.serial('a pause that is forgotten is released in the background, with a warning', async (t) => {
  const ended = await scene('forgotten pause')
  t.is(ended.code, 0)
  t.deepEqual(ended.reports, ['written'])
  t.regex(ended.stderr, /LEDGERSTONE_UNRELEASED.*a pause was garbage-collected/)
})

test.serial('no native code is loaded', async (t) => {
  const ended = await scene('nothing native')
  t.deepEqual([ended.code, ended.stderr, ended.reports], [0, '', ['closed']])
})
