// Scene after scene until somebody says stop: children killed in the middle, on a device that is full at times, workers terminated in one process.
// Whatever goes wrong is kept and told with its seed.
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { runChild } from '../support/child.ts'
import { Random } from '../support/random.ts'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'
import { KilledFolder, noTotals, RoundError, type Totals } from './killed-folder.ts'
import type { DeviceRounds } from './rounds-on-full-device.ts'
import { devicesIn, type DeviceKind, type NoDevice, type SmallDevice } from './small-device.ts'

const ON_DEVICE = new URL('rounds-on-full-device.ts', import.meta.url)
const TERMINATE = new URL('../lifecycle/terminate.ts', import.meta.url)
const MEBIBYTES = 32
const SCENE_LIMIT_MS = 600_000

/** How much of each. */
export interface TortureOptions {
  readonly seed: number
  /** Rounds of one folder. */
  readonly roundsPerFolder: number
  /** How long a child writes before it is killed, at the most. */
  readonly longestMs: number
  /** In the first scene's second round what was acknowledged is taken away: this must be found. */
  readonly plantLoss: boolean
}

/** A scene that went wrong. */
export interface Failed {
  readonly scene: string
  readonly seed: number
  readonly message: string
  readonly kept: string
  readonly lost: number
}

/** A run. */
export class Torture {
  readonly totals: Totals = noTotals()
  readonly episodes: Record<DeviceKind, number> = { tmpfs: 0, ext4: 0 }
  readonly failed: Failed[] = []
  readonly missing: readonly NoDevice[]
  scenes = 0
  readonly #options: TortureOptions
  readonly #devices: readonly SmallDevice[]
  readonly #random: Random

  constructor(options: TortureOptions) {
    this.#options = options
    this.#random = new Random(options.seed)
    const work = makeTemporaryFolder()
    const devices = devicesIn(work)
    rmSync(work, { recursive: true })
    this.#devices = devices.filter((device) => 'runner' in device)
    this.missing = devices.filter((device) => 'reason' in device)
  }

  get lost(): number {
    return this.failed.reduce((sum, { lost }) => sum + lost, 0)
  }

  /** The next scene: in turns kills, a full device, terminated workers. `isOver` is asked between the rounds of the first. */
  async scene(isOver: () => boolean): Promise<void> {
    const seed = this.#random.below(2 ** 30)
    const turn = this.scenes++ % 4
    const device = this.#devices[Math.floor(this.scenes / 4) % Math.max(1, this.#devices.length)]
    if (turn === 1 && device !== undefined) await this.#onDevice(device, seed)
    else if (turn === 3) await this.#terminate(seed)
    else await this.#kill(seed, isOver)
  }

  async #kill(seed: number, isOver: () => boolean): Promise<void> {
    const work = makeTemporaryFolder()
    const plantLossIn = this.#options.plantLoss && this.scenes === 1 ? 1 : undefined
    const folder = new KilledFolder(join(work, 'store'), seed, this.totals, this.#options.longestMs, { plantLossIn })
    try {
      for (let round = 0; round < this.#options.roundsPerFolder && (round === 0 || !isOver()); round++) await folder.round()
    } catch (error) {
      if (!(error instanceof RoundError)) throw error
      this.failed.push({ scene: 'kill', seed, message: error.message, kept: work, lost: error.lost })
      return
    }
    rmSync(work, { recursive: true })
  }

  async #onDevice(device: SmallDevice, seed: number): Promise<void> {
    const work = makeTemporaryFolder()
    const [at, kept] = [join(work, 'at'), join(work, 'kept')]
    mkdirSync(at)
    const { roundsPerFolder, longestMs } = this.#options
    const args = [at, String(seed), String(roundsPerFolder), String(longestMs), kept]
    const scene = `full ${device.kind}`
    const { code, signal, stderr, reports } = await runChild(ON_DEVICE, { args, runner: device.runner(at, work, MEBIBYTES), limitMs: SCENE_LIMIT_MS })
    const last = reports.findLast((line) => line.startsWith('{'))
    const rounds = last === undefined ? undefined : (JSON.parse(last) as DeviceRounds)
    if (rounds !== undefined) {
      this.episodes[device.kind] += rounds.episodes
      addTo(this.totals, rounds.totals)
    }
    const message = rounds?.message ?? (code === 0 ? undefined : `it ended with code=${code} signal=${signal}\n${stderr}`)
    if (message === undefined) return rmSync(work, { recursive: true })
    this.failed.push({ scene, seed, message, kept, lost: rounds?.lost ?? 0 })
  }

  async #terminate(seed: number): Promise<void> {
    const work = makeTemporaryFolder()
    const rounds = Math.ceil(this.#options.roundsPerFolder / 4)
    const { code, signal, stderr, reports } = await runChild(TERMINATE, { args: [work, String(seed), String(rounds)], limitMs: SCENE_LIMIT_MS })
    const [, , , terminated = 0] = (reports.findLast((line) => line.startsWith('round ')) ?? '').split(' ').map(Number)
    this.totals.terminated += terminated
    this.totals.rounds += rounds
    if (code === 0) return rmSync(work, { recursive: true })
    const lost = stderr.includes('lost after it was') ? 1 : 0
    this.failed.push({ scene: 'terminated workers', seed, message: `code=${code} signal=${signal}\n${stderr}`, kept: work, lost })
  }
}

function addTo(totals: Totals, more: Totals): void {
  for (const what of ['rounds', 'kills', 'terminated', 'readings', 'replayed'] as const) totals[what] += more[what]
  for (const what of ['segments', 'journalFile'] as const) totals[what] = Math.max(totals[what], more[what])
  for (const level of ['applied', 'written', 'durable'] as const) totals.acknowledged[level] += more.acknowledged[level]
}
