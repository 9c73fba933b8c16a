// What came out: a table for the terminal, JSON to keep, and a picture for the README. Rates belong to the machine; ratios are what is claimed.
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { drawRatios } from './chart.ts'
import type { Figures } from './child.ts'
import type { Contestant, Size, Workload } from './workload.ts'

export interface Ratio {
  readonly median: number
  readonly least: number
  readonly most: number
}

export interface Row {
  readonly contestant: string
  readonly durability: string
  /** Operations per second, the median of the rounds. */
  readonly rate: number
  /** Ours divided by theirs, round by round; missing for ours. */
  readonly ratio?: Ratio
  readonly counted: Readonly<Record<string, number>>
}

export interface HeatResult {
  readonly name: string
  readonly title: string
  readonly unit: string
  readonly node: string
  readonly rows: readonly Row[]
}

export interface Result {
  readonly date: string
  readonly machine: { readonly cpus: number; readonly cpu: string; readonly memoryBytes: number; readonly platform: string }
  readonly rounds: number
  readonly size: Size
  readonly quick: boolean
  readonly heats: readonly HeatResult[]
  readonly probes: readonly { readonly name: string; readonly title: string; readonly figures: Figures }[]
  /** Who could not take part, and why: never a silent gap. */
  readonly skipped: readonly string[]
}

interface Rounds {
  readonly contestant: Contestant
  readonly rates: readonly number[]
  readonly counted: Readonly<Record<string, number>>
  readonly durability: string
}

export const nameOf = ({ peer, variant }: Contestant): string => (variant === undefined ? peer : `${peer} (${variant})`)

export class Report {
  readonly #options: { readonly quick: boolean; readonly rounds: number; readonly size: Size; readonly log: (line: string) => void }
  readonly #heats: HeatResult[] = []
  readonly #probes: Result['probes'][number][] = []
  readonly #skipped: string[] = []

  constructor(options: { quick: boolean; rounds: number; size: Size; log: (line: string) => void }) {
    this.#options = options
  }

  heat(name: string, { title, unit }: Workload, node: string, results: readonly Rounds[]): void {
    const ours = results[0]?.rates ?? []
    const rows = results.map(({ contestant, rates, counted, durability }, i): Row => {
      const row = { contestant: nameOf(contestant), durability, rate: median(rates), counted }
      return i === 0 ? row : { ...row, ratio: spread(rates.map((rate, round) => (ours[round] ?? 0) / rate)) }
    })
    this.#heats.push({ name, title, unit, node, rows })
    const { log } = this.#options
    log(`\n${title} (${name}, Node ${node})`)
    for (const { contestant, rate, ratio, counted, durability } of rows) {
      const ours = ratio === undefined ? '' : `ours is ${ratio.median.toFixed(2)}x  (${ratio.least.toFixed(2)} to ${ratio.most.toFixed(2)})`
      const costs = Object.entries(counted).map(([what, value]) => `${what}: ${value.toFixed(3)}`)
      log(`  ${contestant.padEnd(22)} ${Math.round(rate).toLocaleString('en-US').padStart(12)} ${unit}/s   ${[ours, ...costs].filter((part) => part !== '').join('   ')}`)
      if (ratio !== undefined && durability !== rows[0]?.durability) log(`  ${''.padEnd(22)} (durability: theirs ${durability}, ours ${rows[0]?.durability})`)
    }
  }

  probe(name: string, title: string, figures: Figures): void {
    this.#probes.push({ name, title, figures })
    const { log } = this.#options
    log(`\n${title} (${name})`)
    const columns = Object.values(figures).map((value) => (typeof value === 'number' ? [] : Object.keys(value))).find(({ length }) => length > 0)
    if (columns !== undefined) log(`  ${''.padEnd(42)} ${columns.map((column) => column.padStart(12)).join(' ')}`)
    for (const [what, value] of Object.entries(figures)) log(`  ${what.padEnd(42)} ${(typeof value === 'number' ? [value] : Object.values(value)).map(aligned).join(' ')}`)
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

  save(folder: string): void {
    mkdirSync(folder, { recursive: true })
    const result = this.result()
    writeFileSync(join(folder, 'latest.json'), `${JSON.stringify(result, undefined, 2)}\n`)
    writeFileSync(join(folder, 'ratios.svg'), drawRatios(result.heats))
    this.#options.log(`\nkept in ${join(folder, 'latest.json')}`)
  }
}

function aligned(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 1 }).padStart(12)
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const half = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? (sorted[half] ?? 0) : ((sorted[half - 1] ?? 0) + (sorted[half] ?? 0)) / 2
}

function spread(ratios: readonly number[]): Ratio {
  return { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) }
}
