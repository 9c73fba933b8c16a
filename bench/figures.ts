// What a result looks like in the documents: ten rows in the README, every table and chart in docs/BENCH.md.
import { CHARTS, comparisonsIn } from './chart.ts'
import type { Figures } from './child.ts'
import { comparisonsOf, type Comparison, type Opponent } from './comparison.ts'
import type { Result } from './result.ts'

const BEGIN = '<!-- figures: begin (drawn by `npm run bench`) -->'
const END = '<!-- figures: end -->'
const COLUMNS = ['lmdb', 'classic-level', 'better-sqlite3']
/** The workloads that the README shows, each with its first title. */
export const SUMMARY: readonly string[] = [
  'durable-sequential',
  'durable-16',
  'durable-256',
  'bulk-random',
  'random-get',
  'random-get-many',
  'full-range',
  'event-append',
  'event-iterate',
  'lock-pair',
]
/** Probes whose figures are a table in docs/BENCH.md. */
const PROBES = new Set(['scale', 'threads', 'commit-call'])

/** The document with the lines between the two marks replaced. */
export function withFigures(document: string, figures: string): string {
  const [begin, end] = [document.indexOf(BEGIN), document.indexOf(END)]
  if (begin === -1 || end < begin) throw new Error(`the document has no place for figures: ${BEGIN} … ${END}`)
  return `${document.slice(0, begin + BEGIN.length)}\n\n${figures}\n\n${document.slice(end)}`
}

/** The README's: where and how, and ten rows. */
export function summaryFiguresOf(result: Result): string {
  const rows = SUMMARY.map((workload) => {
    const [first] = comparisonsOf(result.heats.filter(({ name }) => name === workload))
    if (first === undefined) throw new Error(`the result has no ${workload}, which the README shows`)
    return first
  })
  return `${aboutOf(result)}\n\n${comparisonTable(rows)}`
}

/** docs/BENCH.md's: all of it. */
export function allFiguresOf(result: Result): string {
  return [
    aboutOf(result),
    ...CHARTS.flatMap((chart) => [`![${chart.title}](../bench/results/${chart.name}.svg)`, comparisonTable(comparisonsIn(chart, result.heats))]),
    ...result.probes.filter(({ name }) => PROBES.has(name)).map(({ title, figures }) => probeTable(title, figures)),
  ].join('\n\n')
}

function aboutOf(result: Result): string {
  const { date, machine, rounds, size, floors, heats, probes } = result
  const grades = [...heats, ...probes].flatMap(({ verdicts }) => verdicts.map(({ grade }) => grade))
  const count = (wanted: string): number => grades.filter((grade) => grade === wanted).length
  const [floor] = floors
  const spread = Math.max(...floors.map(({ spreadPercent = NaN }) => spreadPercent))
  const about = [
    `Run of ${date.slice(0, 10)}: ${machine.cpus} cores of ${machine.cpu}, ${machine.platform}, ${numbered(size.records)} records unless a row says otherwise, ${rounds} rounds in turns, medians and`,
    `ranges of the ratios of neighbouring rounds. More than 1 is faster.`,
    floor === undefined
      ? ''
      : `The floor, a \`writeSync\` and an \`fdatasyncSync\` one after another, did ${numbered(floor.rate.median)} per second with a spread of ${(floor.spreadPercent ?? NaN).toFixed(0)} %.`,
    result.isSteady ? '' : `It varied by up to ${spread.toFixed(0)} % within a heat: what is durable shows the device of that hour as much as it shows the contestants.`,
    `Of ${grades.length} targets ${count('aim')} reach their aim, ${count('must')} what must be, ${count('short')} fall short.`,
  ]
  return about.filter((line) => line !== '').join('\n')
}

function comparisonTable(comparisons: readonly Comparison[]): string {
  const rows = comparisons.map(({ title, unit, rate, against }) => {
    const of = (mine: (opponent: Opponent) => boolean, name: (opponent: Opponent) => string): string =>
      against
        .filter(mine)
        .map((opponent) => cell(opponent, name(opponent)))
        .join('<br>')
    const columns = COLUMNS.map((column) =>
      of(
        ({ peer }) => peer === column,
        ({ how }) => how,
      ),
    )
    const others = of(
      ({ peer }) => !COLUMNS.includes(peer),
      ({ peer, how }) => (how === '' ? peer : `${peer}, ${how}`),
    )
    return [title, `${numbered(rate)} ${unit}`, ...columns, others]
  })
  return table(['work', 'ours, per second', ...COLUMNS, 'others'], rows)
}

function cell({ ratio: { median, least, most }, isLess }: Opponent, name: string): string {
  const of = name === '' ? '' : ` ${name}`
  return `**${short(median)}** (${short(least)} to ${short(most)})${of}${isLess ? ', less is better' : ''}`
}

function probeTable(title: string, figures: Figures): string {
  const columns = Object.values(figures)
    .map((value) => (typeof value === 'number' ? [] : Object.keys(value)))
    .find(({ length }) => length > 0) ?? ['']
  const rows = Object.entries(figures).map(([what, value]) =>
    [what].concat(typeof value === 'number' ? [written(value)] : columns.map((column) => written(value[column]))),
  )
  return table([title, ...columns], rows)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lineOf = (cells: readonly string[]): string => `| ${head.map((_, column) => cells[column] ?? '').join(' | ')} |`
  return [head, head.map(() => '---'), ...rows].map(lineOf).join('\n')
}

function short(ratio: number): string {
  return ratio.toFixed(ratio < 10 ? (ratio < 2 ? 2 : 1) : 0)
}

function numbered(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

function written(value: number | undefined): string {
  return value === undefined ? '' : value.toLocaleString('en-US', { maximumFractionDigits: value < 10 ? 2 : 0 })
}
