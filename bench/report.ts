// Collects what came out, says it as it comes, and sums it up at the end: a summary for the terminal, JSON to keep, and a picture for the README.
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { drawRatios } from './chart.ts'
import type { HeatResult, ProbeResult, Result } from './result.ts'
import { spreadPercent } from './statistics.ts'
import { lineOfVerdict, linesOfHeat, linesOfProbe } from './table.ts'
import type { Size } from './workload.ts'

/** More than this between the floor's rounds, and a figure that hangs on the device says little. In percent of the median. */
const STEADY_PERCENT = 15

interface Options {
  readonly quick: boolean
  readonly rounds: number
  readonly size: Size
  readonly log: (line: string) => void
}

export class Report {
  readonly #options: Options
  readonly #heats: HeatResult[] = []
  readonly #probes: ProbeResult[] = []
  readonly #skipped: string[] = []

  constructor(options: Options) {
    this.#options = options
  }

  heat(result: HeatResult): void {
    this.#heats.push(result)
    for (const line of linesOfHeat(result)) this.#options.log(line)
  }

  probe(result: ProbeResult): void {
    this.#probes.push(result)
    for (const line of linesOfProbe(result)) this.#options.log(line)
  }

  /** Told on the error stream too: who reads only the figures must not miss it. */
  skip(name: string, why: string): void {
    this.#skipped.push(`${name}: ${why}`)
    console.warn(`\nSKIPPED in ${name}: ${why}`)
  }

  result(): Result {
    const { quick, rounds, size } = this.#options
    const machine = { cpus: cpus().length, cpu: cpus()[0]?.model ?? '', memoryBytes: totalmem(), platform: `${process.platform} ${process.arch}` }
    return { date: new Date().toISOString(), machine, rounds, size, quick, heats: this.#heats, probes: this.#probes, skipped: this.#skipped }
  }

  /** How steady the floor was, and what fell short of its target. */
  summary(): void {
    const { log } = this.#options
    const floors = this.#heats.flatMap(({ name, rows }) => rows.filter(({ contestant }) => contestant === 'floor').map(({ rate }) => ({ name, rate })))
    log('')
    for (const { name, rate } of floors) {
      const percent = spreadPercent(rate)
      const rates = [rate.median, rate.least, rate.most].map((value) => Math.round(value).toLocaleString('en-US'))
      log(`floor in ${name}: ${rates[0]}/s (${rates[1]} to ${rates[2]}), spread ${percent.toFixed(0)} %: ${percent < STEADY_PERCENT ? 'steady' : `not steady, bound ${STEADY_PERCENT} %`}`)
    }
    const verdicts = this.#heats.flatMap(({ name, title, verdicts }) => verdicts.map((verdict) => ({ name, title, verdict })))
    const short = verdicts.filter(({ verdict }) => verdict.grade === 'short')
    const count = (grade: string): number => verdicts.filter(({ verdict }) => verdict.grade === grade).length
    log(`${verdicts.length} targets: ${count('aim')} reach their aim, ${count('must')} what must be, ${short.length} fall short`)
    for (const { name, title, verdict } of short) log(`${lineOfVerdict(verdict)} (${name}: ${title})`)
  }

  save(folder: string): void {
    mkdirSync(folder, { recursive: true })
    const result = this.result()
    writeFileSync(join(folder, 'latest.json'), `${JSON.stringify(result, undefined, 2)}\n`)
    writeFileSync(join(folder, 'ratios.svg'), drawRatios(result.heats))
    this.#options.log(`\nkept in ${join(folder, 'latest.json')}`)
  }
}
