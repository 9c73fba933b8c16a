// Collects what came out, and says it as it comes.
import { cpus, totalmem } from 'node:os'
import { floorsOf, isSteady } from './floors.ts'
import type { HeatResult, ProbeResult, Result } from './result.ts'
import { linesOfHeat, linesOfProbe } from './table.ts'
import type { Size } from './workload.ts'

interface Options {
  readonly quick: boolean
  readonly rounds: number
  readonly size: Size
  readonly log: (line: string) => void
}

export class Report {
  readonly #options: Options
  readonly #startedMs = performance.now()
  readonly #heats: HeatResult[] = []
  readonly #probes: ProbeResult[] = []
  readonly #skipped: string[] = []

  constructor(options: Options) {
    this.#options = options
  }

  heat(result: HeatResult): void {
    this.#heats.push(result)
    this.#say(linesOfHeat(result))
  }

  probe(result: ProbeResult): void {
    this.#probes.push(result)
    this.#say(linesOfProbe(result))
  }

  /** Written to the error stream too: a reader of the figures alone must not miss it. */
  skip(name: string, why: string): void {
    this.#skipped.push(`${name}: ${why}`)
    console.warn(`\nSKIPPED in ${name}: ${why}`)
  }

  result(): Result {
    const { quick, rounds, size } = this.#options
    const floors = floorsOf(this.#heats)
    return {
      date: new Date().toISOString(),
      seconds: (performance.now() - this.#startedMs) / 1000,
      machine: { cpus: cpus().length, cpu: cpus()[0]?.model ?? '', memoryBytes: totalmem(), platform: `${process.platform} ${process.arch}` },
      rounds,
      size,
      quick,
      floors,
      isSteady: isSteady(floors),
      heats: this.#heats,
      probes: this.#probes,
      skipped: this.#skipped,
    }
  }

  #say(lines: readonly string[]): void {
    for (const line of lines) this.#options.log(line)
  }
}
