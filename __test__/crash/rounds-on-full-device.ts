// Rounds of killed children on a separate small device that becomes full in the middle: sometimes there is room again before the kill, sometimes only after it.
// Runs where the device is mounted, and reports its totals after each round.
//
//   rounds-on-full-device.ts DEVICE SEED ROUNDS LONGEST_MS KEPT     KEPT: where the store's folder is copied to when a round went wrong
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { open } from 'ledgerstone'
import { report } from '../support/report.ts'
import { Ballast } from './ballast.ts'
import { KilledFolder, noTotals, RoundError, type Totals } from './killed-folder.ts'
import type { Told } from './workload.ts'

/** What a round on the device reports. */
export interface DeviceRounds {
  readonly totals: Totals
  readonly episodes: number
  readonly refusedOpens: number
  readonly lost?: number
  readonly message?: string
}

const [device, seed, rounds, longest, kept] = process.argv.slice(2) as [string, string, string, string, string]
const longestMs = Number(longest)
const ballast = new Ballast(join(device, 'ballast'))
const totals = noTotals()
let episodes = 0
let refusedOpens = 0

const folder = new KilledFolder(join(device, 'store'), Number(seed), totals, longestMs, {
  during: async (random) => {
    await sleep(random.below(longestMs))
    ballast.fill(random.oneIn(2) ? random.below(1 << 20) : 0)
    episodes++
    if (!random.oneIn(2)) return
    await sleep(random.below(longestMs))
    ballast.remove()
  },
  // On a device that is still full opening may be refused, and closing, which flushes; nothing else is. The check that follows has room.
  afterKill: async (path) => {
    const store = await unlessFull(open<Told>(path))
    if (store === undefined) refusedOpens++
    else await unlessFull(store.close())
    ballast.remove()
  },
})
try {
  for (let round = 0; round < Number(rounds); round++) {
    await folder.round()
    report(JSON.stringify({ totals, episodes, refusedOpens }))
  }
} catch (error) {
  if (!(error instanceof RoundError)) throw error
  cpSync(folder.path, kept, { recursive: true })
  report(JSON.stringify({ totals, episodes, refusedOpens, lost: error.lost, message: error.message }))
}

/** Nothing where there was no room for it. */
async function unlessFull<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_NO_SPACE') return undefined
    throw error
  }
}
