// What a run leaves behind, as it is kept in JSON. Rates belong to the machine; ratios are what is claimed.
import type { Figures, ProbeTarget } from './child.ts'
import type { Durability } from './durability.ts'
import type { Spread } from './statistics.ts'
import type { Contestant, Measured, Size, Target } from './workload.ts'

export interface Row {
  readonly contestant: string
  readonly durability: Durability
  /** Operations per second. */
  readonly rate: Spread
  /** The first contestant's rate divided by this one's, round by round; missing for the first. */
  readonly ratio?: Spread
  /** For each step, the median of the rounds, by what counted them. */
  readonly flushes: Readonly<Record<string, number>>
  /** What else was measured: the median of the rounds. */
  readonly figures: Readonly<Record<string, number>>
}

export type Grade = 'aim' | 'must' | 'short'

/** What became of a target. */
export interface Verdict extends Target {
  readonly of: string
  readonly ratio: Spread
  readonly grade: Grade
}

/** What became of a bound for a figure of a probe. */
export interface ProbeVerdict extends ProbeTarget {
  readonly value: number
  readonly grade: Grade
}

export interface HeatResult {
  readonly name: string
  readonly title: string
  readonly unit: string
  /** What flushes are counted for each of. */
  readonly group?: string
  readonly node: string
  readonly rounds: number
  readonly records: number
  readonly seconds: number
  readonly rows: readonly Row[]
  readonly verdicts: readonly Verdict[]
  /** What a contestant says of its durability and the counters do not bear out. */
  readonly unproven: readonly string[]
}

export interface ProbeResult {
  readonly name: string
  readonly title: string
  readonly seconds: number
  readonly figures: Figures
  readonly verdicts: readonly ProbeVerdict[]
}

/** A heat's own floor. */
export interface Floor {
  readonly name: string
  readonly unit: string
  readonly rate: Spread
  /** Least to most, in percent of the median; missing when there are too few rounds to tell. */
  readonly spreadPercent?: number
}

export interface Result {
  readonly date: string
  readonly seconds: number
  readonly machine: { readonly cpus: number; readonly cpu: string; readonly memoryBytes: number; readonly platform: string }
  readonly rounds: number
  readonly size: Size
  readonly quick: boolean
  readonly floors: readonly Floor[]
  /** All floors were: figures that hang on the device can be trusted. */
  readonly isSteady: boolean
  readonly heats: readonly HeatResult[]
  readonly probes: readonly ProbeResult[]
  /** Contestants that could not take part, and why: never a silent gap. */
  readonly skipped: readonly string[]
}

/** All rounds of one contestant. */
export interface Rounds {
  readonly contestant: string
  readonly durability: Durability
  readonly measured: readonly Measured[]
}

export const nameOf = ({ peer, variant }: Contestant): string => (variant === undefined ? peer : `${peer} (${variant})`)

export const rateOf = ({ operations, ms }: Measured): number => (operations * 1000) / ms
