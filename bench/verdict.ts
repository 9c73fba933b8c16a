// Rounds made into rows, and targets into verdicts. A ratio is taken round by round, between neighbours in time, and only then summed up.
import type { Figures, ProbeTarget } from './child.ts'
import { rateOf, type Grade, type ProbeVerdict, type Rounds, type Row, type Verdict } from './result.ts'
import { median, spreadOf, type Spread } from './statistics.ts'
import type { Measured, Target } from './workload.ts'

export function rowOf(rounds: Rounds, first: Rounds): Row {
  const { contestant, durability, measured } = rounds
  const row = { contestant, durability, rate: spreadOf(measured.map(rateOf)), flushes: medians(measured, 'flushes'), figures: medians(measured, 'figures') }
  return rounds === first ? row : { ...row, ratio: ratioOf(first, rounds, rateOf) }
}

/** Nothing when one of the two did not take part. */
export function verdictOf(target: Target, all: readonly Rounds[]): Verdict | undefined {
  const ours = target.of === undefined ? all[0] : all.find(({ contestant }) => contestant === target.of)
  const theirs = all.find(({ contestant }) => contestant === target.against)
  if (ours === undefined || theirs === undefined) return undefined
  const { figure } = target
  const ratio = ratioOf(ours, theirs, figure === undefined ? rateOf : ({ figures }) => figures?.[figure] ?? NaN)
  return { ...target, of: ours.contestant, ratio, grade: gradeOf(ratio.median, target) }
}

/** Nothing when there is no such figure. */
export function probeVerdictOf(target: ProbeTarget, figures: Figures): ProbeVerdict | undefined {
  const figure = figures[target.figure]
  const value = typeof figure === 'number' ? figure : figure?.[target.column ?? '']
  return value === undefined ? undefined : { ...target, value, grade: gradeOf(value, target) }
}

function gradeOf(value: number, { must, aim, better }: Pick<Target, 'must' | 'aim' | 'better'>): Grade {
  const reaches = (bound: number): boolean => (better === 'more' ? value >= bound : value <= bound)
  if (reaches(aim)) return 'aim'
  return reaches(must) ? 'must' : 'short'
}

function ratioOf(ours: Rounds, theirs: Rounds, of: (measured: Measured) => number): Spread {
  return spreadOf(ours.measured.map((measured, round) => of(measured) / of(theirs.measured[round]!)))
}

function medians(measured: readonly Measured[], of: 'flushes' | 'figures'): Record<string, number> {
  const names = Object.keys(measured[0]?.[of] ?? {})
  return Object.fromEntries(names.map((name) => [name, median(measured.map((round) => round[of]?.[name] ?? NaN))]))
}
