// Lives simulated lives of the whole store: power cuts, failing calls, full disks, rotten bits (crates/canonical-store/tests/simulation/main.rs).
//
//   --seed N     one life, and tells its story
//   --lmdb       with LMDB in place of its twin
//   --seeds N    so many (10,000 by default, 200 with LMDB)
//   --from N     beginning with this one
//   --forever    batch after batch from there, or from anywhere, until one fails
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { run } from './command.ts'
import { Refusal } from './refusal.ts'
import { needToolchain } from './toolchain.ts'

const BATCH = { twin: 5000, lmdb: 100 } as const
const TESTS = { twin: 'every_life_recovers_a_prefix_that_holds_what_was_acknowledged', lmdb: 'lmdb_in_place_of_its_twin_keeps_the_same_promises' } as const

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    from: { type: 'string' },
    lmdb: { type: 'boolean', default: false },
    forever: { type: 'boolean', default: false },
  },
})
await needToolchain()
const kind = values.lmdb ? 'lmdb' : 'twin'

if (values.forever) await liveForever(values.from === undefined ? randomInt(2 ** 40) : whole('from', values.from))
else {
  const seeds = values.seeds === undefined ? undefined : whole('seeds', values.seeds)
  const story = values.seed === undefined ? {} : { LEDGERSTONE_SEED: whole('seed', values.seed), LEDGERSTONE_STORY: 1 }
  process.exitCode = await live(kind, {
    ...story,
    LEDGERSTONE_FROM: whole('from', values.from ?? '0'),
    LEDGERSTONE_SEEDS: seeds,
    LEDGERSTONE_LMDB_SEEDS: seeds,
    LEDGERSTONE_CENSUS: 1,
  })
}

/** The nightly mode. A failure is reported with its story. */
async function liveForever(first: number): Promise<void> {
  const startedMs = performance.now()
  for (let from = first, lives = 0; process.exitCode === undefined; from += BATCH.twin) {
    for (const on of ['twin', 'lmdb'] as const) {
      const failed = await live(on, { LEDGERSTONE_FROM: from, LEDGERSTONE_SEEDS: BATCH.twin, LEDGERSTONE_LMDB_SEEDS: BATCH.lmdb, LEDGERSTONE_STORY: 1 })
      if (failed !== 0) process.exitCode = failed
    }
    lives += BATCH.twin + BATCH.lmdb
    console.log(`simulate: seeds ${first} to ${from + BATCH.twin - 1}, ${(lives / ((performance.now() - startedMs) / 1000)).toFixed(0)} lives a second`)
  }
}

async function live(on: keyof typeof TESTS, environment: Readonly<Record<string, number | undefined>>): Promise<number> {
  for (const [name, value] of Object.entries(environment)) if (value !== undefined) process.env[name] = String(value)
  const cargo = [
    'test',
    '--profile',
    'fast',
    '--locked',
    '--quiet',
    '-p',
    'ledgerstone-canonical-store',
    '--test',
    'simulation',
    '--',
    '--nocapture',
    '--exact',
    TESTS[on],
  ]
  return (await run('cargo', cargo, 'show')).exitCode
}

function whole(option: string, text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0) throw new Refusal(`--${option} is a whole number`)
  return number
}
