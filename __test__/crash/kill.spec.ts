// The real package in a separate process, killed with SIGKILL at a random moment: while it opens, writes, flushes and closes, from the main thread and from
// workers that are terminated in the middle, with readers beside them. What was acknowledged as written or durable is found afterwards, whole commits only, and
// the state is what the events say. One folder goes through several rounds, two folders at a time. This is a sample; the long proof kills 300 times.
//
//   LEDGERSTONE_KILLS=2000 LEDGERSTONE_SEED=… npm test -- __test__/crash/kill.spec.ts
import { rmSync } from 'node:fs'
import test from 'ava'
import { runSeed } from '../support/random.ts'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'
import { KilledFolder, noTotals } from './killed-folder.ts'

const KILLS = Number(process.env['LEDGERSTONE_KILLS'] ?? 40)
const ROUNDS_PER_FOLDER = 10
const LONGEST_MS = 150

test('whatever was acknowledged survives SIGKILL at any moment, whole commits only', async (t) => {
  t.timeout(KILLS * 60_000)
  let seed = runSeed()
  t.log(`seed ${seed}`)
  const totals = noTotals()
  // On a busy machine much of the sample may be killed while it opens: it goes on until it has met all that it is there for.
  const isComplete = (): boolean => totals.kills >= KILLS && totals.replayed > 0 && totals.terminated > 0 && totals.readings > KILLS
  const goesOn = (): boolean => !isComplete() && totals.kills < 5 * KILLS
  const goThroughFolders = async (): Promise<void> => {
    while (goesOn()) {
      const path = makeTemporaryFolder()
      const folder = new KilledFolder(path, seed, totals, LONGEST_MS)
      seed += 10_007
      for (let round = 0; round < ROUNDS_PER_FOLDER && goesOn(); round++) await folder.round()
      rmSync(path, { recursive: true, force: true }) // kept when something was wrong
    }
  }
  await Promise.all([goThroughFolders(), goThroughFolders()])
  t.log(JSON.stringify(totals))
  const { kills, rounds, acknowledged, segments, journalFile } = totals
  t.true(kills >= KILLS && rounds >= kills)
  t.true(acknowledged.written + acknowledged.durable > rounds * 10, 'they had something to lose')
  t.true(isComplete(), JSON.stringify(totals))
  t.true(segments > 2 && journalFile > 2, 'journal files and segments were changed on the way')
})
