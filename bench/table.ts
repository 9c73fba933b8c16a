// Results as lines for the terminal.
import type { Figures } from './child.ts'
import type { HeatResult, ProbeResult, ProbeVerdict, Row, Verdict } from './result.ts'
import { spreadPercent, type Spread } from './statistics.ts'

const NAME = 26

export function linesOfHeat({ name, title, unit, group, node, rounds, seconds, rows, verdicts, unproven }: HeatResult): string[] {
  const lines = [`\n${title} (${name}, Node ${node}, ${rounds} rounds, ${seconds.toFixed(0)} s)`]
  for (const row of rows) {
    const rate = Math.round(row.rate.median).toLocaleString('en-US').padStart(12)
    lines.push(
      `  ${row.contestant.padEnd(NAME)} ${rate} ${unit}/s  ±${spreadPercent(row.rate).toFixed(0).padStart(3)} %   ${[ratio(row), ...figures(row)].filter((part) => part !== '').join('   ')}`,
    )
    if (group !== undefined) lines.push(`  ${''.padEnd(NAME)} ${row.durability}; flushes for each ${group}: ${flushes(row)}`)
    else if (row.durability !== rows[0]?.durability) lines.push(`  ${''.padEnd(NAME)} (durability: theirs ${row.durability}, ours ${rows[0]?.durability})`)
  }
  return [...lines, ...unproven.map((what) => `  UNPROVEN ${what}`), ...verdicts.map(lineOfVerdict)]
}

export function lineOfVerdict(verdict: Verdict): string {
  const { of, against, figure, ratio, grade } = verdict
  return `  ${grade.toUpperCase().padEnd(5)} ${of} / ${against}${figure === undefined ? '' : `, ${figure}`}: ${range(ratio)}, ${bounds(verdict)}`
}

export function lineOfProbeVerdict(verdict: ProbeVerdict): string {
  const { figure, column, value, grade } = verdict
  return `  ${grade.toUpperCase().padEnd(5)} ${figure}${column === undefined ? '' : `, ${column}`}: ${value.toFixed(2)}, ${bounds(verdict)}`
}

function bounds({ must, aim, better }: Pick<Verdict, 'must' | 'aim' | 'better'>): string {
  return `must be at ${better === 'more' ? 'least' : 'most'} ${must}, aim ${aim}`
}

export function linesOfProbe({ name, title, seconds, figures, verdicts }: ProbeResult): string[] {
  const columns = Object.values(figures)
    .map((value) => (typeof value === 'number' ? [] : Object.keys(value)))
    .find(({ length }) => length > 0)
  const head = columns === undefined ? [] : [`  ${''.padEnd(52)} ${columns.map((column) => column.padStart(12)).join(' ')}`]
  const cells = (value: Figures[string]): string => (typeof value === 'number' ? [value] : Object.values(value)).map(aligned).join(' ')
  const lines = Object.entries(figures).map(([what, value]) => `  ${what.padEnd(52)} ${cells(value)}`)
  return [`\n${title} (${name}, ${seconds.toFixed(0)} s)`, ...head, ...lines, ...verdicts.map(lineOfProbeVerdict)]
}

function ratio({ ratio }: Row): string {
  return ratio === undefined ? '' : `ours is ${range(ratio)}`
}

function range({ median, least, most }: Spread): string {
  return `${median.toFixed(2)}x (${least.toFixed(2)} to ${most.toFixed(2)})`
}

function figures({ figures }: Row): string[] {
  return Object.entries(figures).map(([what, value]) => `${what} ${value.toFixed(2)}`)
}

function flushes({ flushes }: Row): string {
  const counted = Object.entries(flushes).map(([who, count]) => `${count.toFixed(3)} (${who})`)
  return counted.length === 0 ? 'nobody counts them here' : counted.join(', ')
}

function aligned(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 1 }).padStart(12)
}
