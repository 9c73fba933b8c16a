// One folder that goes through many rounds: a child opens the store in it, works, and is killed at a random moment, while it opens, writes, flushes or closes.
// After that the store is opened here and compared with the ledger.
import { cpSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Durability, open } from 'ledgerstone'
import { Child } from '../support/child.ts'
import { Random } from '../support/random.ts'
import { Ledger, Loss } from './ledger.ts'
import type { Told } from './workload.ts'
import type { Plan } from './writer.ts'

const WRITER = new URL('writer.ts', import.meta.url)
const MANY_COMMITS = 100_000

/** When the child dies: so many milliseconds after it reported this. */
interface Moment {
  readonly after: 'opening' | 'opened' | 'flushing' | 'closing'
  readonly delayMs: number
}

/** What rounds have met. */
export interface Totals {
  rounds: number
  /** Children that SIGKILL has ended; not those that were done before it came. */
  kills: number
  terminated: number
  readings: number
  acknowledged: Record<Durability, number>
  /** Frames that recovery replayed. */
  replayed: number
  segments: number
  journalFile: number
}

export function noTotals(): Totals {
  return { rounds: 0, kills: 0, terminated: 0, readings: 0, acknowledged: { applied: 0, written: 0, durable: 0 }, replayed: 0, segments: 0, journalFile: 0 }
}

/** A round that went wrong: where, how to have it again, and how many acknowledged commits are gone. */
export class RoundError extends Error {
  readonly lost: number

  constructor(where: string, cause: unknown) {
    super(`${(cause as Error).message}: ${where}`, { cause })
    this.lost = cause instanceof Loss ? cause.lost : 0
  }
}

/** What befalls a folder beside the kill. */
export interface Troubles {
  /** When the child opens the store; its end is awaited before the kill. */
  readonly during?: (random: Random) => Promise<void>
  /** After the kill, before the store is opened. */
  readonly afterKill?: (path: string, round: number) => Promise<void>
  /** The folder is put back, in this round, to what it was before: everything that was acknowledged in it is lost, and must be missed. */
  readonly plantLossIn?: number | undefined
}

/** A store's folder and the promises made about it. */
export class KilledFolder {
  readonly path: string
  readonly #seed: number
  readonly #random: Random
  readonly #ledger = new Ledger()
  readonly #totals: Totals
  readonly #longestMs: number
  readonly #troubles: Troubles
  #round = 0

  /** `longestMs`: how long a child writes at the most. What the rounds meet is added to `totals`. */
  constructor(path: string, seed: number, totals: Totals, longestMs: number, troubles: Troubles = {}) {
    this.path = path
    this.#seed = seed
    this.#random = new Random(seed)
    this.#totals = totals
    this.#longestMs = longestMs
    this.#troubles = troubles
  }

  /** One round. Throws a {@link RoundError} when something is wrong; the folder is left as it is then. */
  async round(): Promise<void> {
    const round = this.#round++
    const isPlanted = this.#troubles.plantLossIn === round
    const moment = isPlanted ? ({ after: 'opened', delayMs: 4 * this.#longestMs } as const) : momentOf(this.#random, this.#longestMs)
    const plan = this.#plan(round, moment)
    const where = `seed=${this.#seed} round=${round} after=${moment.after} delayMs=${moment.delayMs.toFixed(1)} workers=${plan.workers} folder=${this.path}`
    const before = `${this.path}.before`
    try {
      if (isPlanted) cpSync(this.path, before, { recursive: true })
      await this.#live(plan, moment)
      if (isPlanted) {
        rmSync(this.path, { recursive: true })
        cpSync(before, this.path, { recursive: true })
        rmSync(before, { recursive: true })
      }
      await this.#troubles.afterKill?.(this.path, round)
      await this.#check()
    } catch (cause) {
      throw new RoundError(where, cause)
    }
    this.#totals.rounds++
  }

  async #live(plan: Plan, moment: Moment): Promise<void> {
    const ledger = this.#ledger
    const before = { ...ledger.acknowledged, terminated: ledger.terminated, readings: ledger.readings }
    const child = new Child(WRITER, { args: [JSON.stringify(plan)], onReport: (line) => ledger.take(line) })
    const { during } = this.#troubles
    if (during === undefined) {
      await child.reported(moment.after)
    } else {
      await child.reported('opening')
      await during(this.#random)
      // In trouble it may never come so far.
      await Promise.race([child.reported(moment.after), sleep(2 * this.#longestMs)])
    }
    await sleep(moment.delayMs)
    child.kill('SIGKILL')
    const { signal, code, stderr, hung } = await child.ended
    const totals = this.#totals
    for (const level of ['applied', 'written', 'durable'] as const) totals.acknowledged[level] += ledger.acknowledged[level] - before[level]
    totals.terminated += ledger.terminated - before.terminated
    totals.readings += ledger.readings - before.readings
    if (hung || (signal === null ? code !== 0 : signal !== 'SIGKILL')) throw new Error(`the child ended by itself: code=${code} signal=${signal} hung=${hung}\n${stderr}`)
    if (signal === 'SIGKILL') totals.kills++
  }

  async #check(): Promise<void> {
    const store = await open<Told>(this.path).catch((cause: unknown) => {
      throw new Error(`it does not open again: ${(cause as Error).message}`, { cause })
    })
    try {
      const { recovery, events } = store.stats()
      const totals = this.#totals
      totals.replayed += recovery.frames
      totals.segments = Math.max(totals.segments, events.segments)
      totals.journalFile = Math.max(totals.journalFile, ...readdirSync(join(this.path, 'journal')).map((name) => Number(/\d{20}/.exec(name)?.[0] ?? 0)))
      this.#ledger.check(store)
    } finally {
      await store.close()
    }
  }

  #plan(round: number, moment: Moment): Plan {
    const random = this.#random
    const workers = random.oneIn(3) ? 1 + random.below(2) : 0
    return {
      path: this.path,
      seed: this.#seed * 100 + round,
      workers,
      commits: moment.after === 'closing' ? random.below(400) : MANY_COMMITS,
      reads: random.oneIn(2),
      terminatesEveryMs: workers > 0 && random.oneIn(2) ? this.#longestMs / 4 : 0,
    }
  }
}

function momentOf(random: Random, longestMs: number): Moment {
  const kind = random.below(10)
  if (kind === 0) return { after: 'opening', delayMs: random.below(120) / 10 }
  if (kind <= 2) return { after: 'flushing', delayMs: random.below(80) / 10 }
  if (kind === 3) return { after: 'closing', delayMs: random.below(120) / 10 }
  return { after: 'opened', delayMs: random.below(longestMs) }
}
