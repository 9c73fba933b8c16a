// The coordinator in a world by script: every interleaving of what can be asked of it and of what the flusher may answer, to a bounded depth, and long
// random lives. What has to hold after each step stands in world.ts.
//
//   LEDGERSTONE_SEED=n LEDGERSTONE_STEPS=1000000 LEDGERSTONE_DEPTH=6 npm test -- __test__/write-coordinator/model.spec.ts
import test from 'ava'
import { Random, runSeed } from '../support/random.ts'
import { again } from './scripted-storage.ts'
import { World, type WorldOptions } from './world.ts'

const DEPTH = Number(process.env['LEDGERSTONE_DEPTH'] ?? 4)
const STEPS = Number(process.env['LEDGERSTONE_STEPS'] ?? 100_000)
const LIFE = 60
const DEAD = new Error('the storage is dead')

type Step = (world: World, random?: Random) => void
const newest = (world: World): Parameters<World['wait']>[0] | undefined => world.handles.at(-1)

/** What the exhaustive test is made of: each with one meaning. */
const STEPS_BY_NAME: Record<string, Step> = {
  write: (world) => void world.write(world.item(20)),
  'wait written': (world) => void (newest(world) === undefined || world.wait(newest(world) as never, 'written')),
  'wait durable': (world) => void (newest(world) === undefined || world.wait(newest(world) as never, 'durable')),
  flush: (world) => void world.flush('written'),
  'flush durable': (world) => void world.flush('durable'),
  pause: (world) => world.pause(),
  release: (world) => world.release(),
  subscribe: (world) => world.subscribe(),
  close: (world) => world.close(),
  answer: (world) => void world.flusher.answer(),
  fail: (world) => void world.flusher.answer(DEAD),
  'be late': (world) => world.schedule.advance(25),
}

const RANDOM_STEPS: readonly Step[] = [
  ...Array.from({ length: 4 }, (): Step => (world, random) => void world.write(world.item(1 + below(random, 19), random?.oneIn(8)))),
  (world, random) => void world.write(world.item(1 + below(random, 19)), { timeoutMs: below(random, 30), signal: world.controller.signal }),
  (world, random) => void world.tryWrite(world.item(1 + below(random, 19), random?.oneIn(8))),
  ...(['written', 'durable'] as const).map((level): Step => (world, random) => {
    if (world.handles.length > 0)
      world.wait(world.handles[below(random, world.handles.length)] as never, level, random?.oneIn(3) === true ? world.controller.signal : undefined)
  }),
  (world, random) => void world.flush(random?.oneIn(2) === true ? 'written' : 'durable'),
  (world, random) => world.pause(random?.oneIn(2) === true ? below(random, 40) : undefined),
  (world) => world.release(),
  (world) => world.release(),
  (world) => world.subscribe(),
  ...Array.from({ length: 5 }, (): Step => (world) => void world.flusher.answer()),
  (world, random) => void world.flusher.answer(random?.oneIn(6) === true ? DEAD : again()),
  (world, random) => world.schedule.advance(below(random, 30)),
]

/** Once in a life at the most: they end it, or may. */
const LAST_STEPS: readonly Step[] = [
  (world) => world.close(),
  (world) => world.close(world.controller.signal),
  (world) => world.controller.abort(new Error('given up')),
  (world) => void (world.faults.freeze = DEAD),
  (world) => void (world.faults.freeze = {}),
  (world) => void (world.faults.init = DEAD),
  (world) => void (world.faults.init = { apply: 1 }),
  (world) => void (world.faults.reader = DEAD),
  (world) => void (world.faults.estimateSize = DEAD),
  (world) => void (world.faults.estimateSize = Number.NaN),
  (world) => void (world.flusher.throwsNext = DEAD),
  (world) => void (world.flusher.throwsNext = again()),
]

test.serial(`every interleaving of ${Object.keys(STEPS_BY_NAME).length} steps, ${DEPTH} deep`, async (t) => {
  t.timeout(3_600_000)
  const names = Object.keys(STEPS_BY_NAME)
  // Writes first: most of what follows is about nothing without.
  const worlds: readonly (readonly [WorldOptions, before: readonly string[]])[] = [
    [{}, []],
    [{ writes: 2 }, ['write', 'write', 'write']],
    [{ bytes: 1000, maxPendingBytes: 40 }, ['write', 'write', 'write']],
  ]
  let lived = 0
  for (const [options, before] of worlds) {
    for (let n = 0; n < names.length ** DEPTH; n++) {
      const story = [...before]
      for (let rest = n, depth = 0; depth < DEPTH; depth++, rest = Math.floor(rest / names.length)) story.push(names[rest % names.length] as string)
      try {
        await live(
          options,
          story.map((name) => STEPS_BY_NAME[name] as Step),
        )
      } catch (error) {
        t.fail(`${JSON.stringify(options)} ${story.join(', ')}: ${String(error)}`)
        return
      }
      lived++
    }
  }
  t.is(lived, worlds.length * names.length ** DEPTH)
})

test.serial(`${STEPS} random steps`, async (t) => {
  t.timeout(3_600_000)
  const first = runSeed()
  t.log(`LEDGERSTONE_SEED=${first}`)
  let failed = 0
  let flushes = 0
  for (let n = 0; n < STEPS / LIFE; n++) {
    const seed = (first + n) % 2 ** 31
    try {
      const world = await lifeOf(seed)
      flushes += world.coordinator.stats().flushes
      if (world.coordinator.failure !== undefined) failed++
    } catch (error) {
      t.fail(`LEDGERSTONE_SEED=${seed}: ${error instanceof Error ? error.stack : String(error)}`)
      return
    }
  }
  t.true(failed > STEPS / LIFE / 20 && failed < STEPS / LIFE, `${failed} lives failed`)
  t.true(flushes > STEPS / LIFE, `${flushes} flushes`)
})

async function lifeOf(seed: number): Promise<World> {
  const random = new Random(seed)
  const options: WorldOptions = {
    bytes: random.pick([15, 30, 200]),
    writes: random.pick([undefined, 1, 3]),
    intervalMs: random.pick([5, 50]),
    maxPendingBytes: random.pick([20, 50, 100]),
    attempts: random.pick([1, 2, 3]),
  }
  const last = random.oneIn(2) ? random.below(LIFE) : -1
  return live(
    options,
    Array.from({ length: LIFE }, (_, n) => (world) => (n === last ? random.pick(LAST_STEPS) : random.pick(RANDOM_STEPS))(world, random)),
    random,
  )
}

/** In a random life several steps may be taken at once, before anything has settled. */
async function live(options: WorldOptions, story: readonly Step[], random?: Random): Promise<World> {
  const world = new World(options)
  for (const step of story) {
    step(world, random)
    if (random === undefined || !random.oneIn(3)) await world.settle()
  }
  await world.settle()
  await world.finish()
  return world
}

function below(random: Random | undefined, end: number): number {
  return random === undefined ? 0 : random.below(end)
}
