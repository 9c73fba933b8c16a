// The real package in a process of its own, killed with SIGKILL at a random moment: while it opens, writes, flushes and closes. What it was told
// is written or durable is there afterwards, whole commits only, and the state is what the events say. One folder goes through several rounds.
//
//   LEDGERSTONE_KILL_ROUNDS=2000 LEDGERSTONE_SEED=… npm test -- __test__/crash/kill.spec.ts
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { open } from 'ledgerstone'
import { Child } from '../support/child.ts'
import { Random, runSeed } from '../support/random.ts'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'
import { Ledger } from './ledger.ts'
import type { Told } from './workload.ts'

const WRITER = new URL('writer.ts', import.meta.url)
const ROUNDS = Number(process.env['LEDGERSTONE_KILL_ROUNDS'] ?? 100)
const ROUNDS_PER_FOLDER = 10

/** When the child dies: so many milliseconds after it reported this. */
interface Moment { readonly after: 'opening' | 'opened' | 'flushing' | 'closing'; readonly delayMs: number }

/** What the rounds have met. */
interface Totals { rounds: number; acknowledged: number; replayed: number; killed: number; segments: number; journalFile: number }

test('whatever was acknowledged survives SIGKILL at any moment, whole commits only', async (t) => {
  t.timeout(ROUNDS * 10_000)
  const seed = runSeed()
  t.log(`seed ${seed}`)
  const seeds = Array.from({ length: Math.ceil(ROUNDS / ROUNDS_PER_FOLDER) }, (_, i) => seed + i * 10_007)
  const totals: Totals = { rounds: 0, acknowledged: 0, replayed: 0, killed: 0, segments: 0, journalFile: 0 }
  for (const next of seeds) await goThrough(next, Math.min(ROUNDS_PER_FOLDER, ROUNDS), totals)
  t.log(`${totals.rounds} rounds, ${totals.killed} killed, ${totals.acknowledged} acknowledged commits, ${totals.replayed} frames replayed, up to ${totals.segments} segments and journal file ${totals.journalFile}`)
  t.true(totals.killed > totals.rounds / 2, 'most rounds end with a kill')
  t.true(totals.acknowledged > totals.rounds * 10, 'and had something to lose')
  t.true(totals.replayed > 0)
  t.true(totals.segments > 2 && totals.journalFile > 2, `journal files and segments were changed on the way: ${JSON.stringify(totals)}`)
})

async function goThrough(seed: number, rounds: number, totals: Totals): Promise<void> {
  const random = new Random(seed)
  const path = makeTemporaryFolder()
  const ledger = new Ledger()
  for (let round = 0; round < rounds; round++) {
    const moment = momentOf(random)
    const commits = moment.after === 'closing' ? random.below(400) : 100_000
    const where = `seed=${seed} round=${round} after=${moment.after} delayMs=${moment.delayMs.toFixed(1)} folder=${path}`
    const child = new Child(WRITER, {
      args: [path, String(seed * 100 + round), String(random.oneIn(3) ? 1 + random.below(2) : 0), String(commits)],
      onReport: (line) => ledger.take(line),
    })
    await child.reported(moment.after)
    await new Promise((resolve) => setTimeout(resolve, moment.delayMs))
    child.kill('SIGKILL')
    const { signal, code, stderr, hung } = await child.ended
    if (hung || (signal === null ? code !== 0 : signal !== 'SIGKILL')) throw new Error(`the child ended by itself: ${where} code=${code} signal=${signal} hung=${hung}\n${stderr}`)
    if (signal === 'SIGKILL') totals.killed++
    const store = await open<Told>(path).catch((error: unknown) => {
      throw new Error(`it does not open again: ${where}`, { cause: error })
    })
    const { recovery, events } = store.stats()
    totals.replayed += recovery.frames
    totals.segments = Math.max(totals.segments, events.segments)
    totals.journalFile = Math.max(totals.journalFile, ...readdirSync(join(path, 'journal')).map((name) => Number(/\d{20}/.exec(name)?.[0] ?? 0)))
    try {
      ledger.check(store)
    } catch (cause) {
      throw new Error(`${(cause as Error).message}: ${where}`, { cause })
    }
    await store.close()
    totals.rounds++
  }
  totals.acknowledged += ledger.count
  rmSync(path, { recursive: true, force: true }) // kept when something was wrong
}

function momentOf(random: Random): Moment {
  const kind = random.below(10)
  if (kind === 0) return { after: 'opening', delayMs: random.below(120) / 10 }
  if (kind <= 2) return { after: 'flushing', delayMs: random.below(80) / 10 }
  if (kind === 3) return { after: 'closing', delayMs: random.below(120) / 10 }
  return { after: 'opened', delayMs: random.below(500) }
}
