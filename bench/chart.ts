// The pictures of a result: one bar for each ratio, from the line where both sides are equal, with the spread of the rounds as a thin stroke and the
// aim as a tick. Logarithmic, so that twice as fast and half as fast are the same length.
import { comparisonsOf, type Comparison, type Opponent } from './comparison.ts'
import type { HeatResult } from './result.ts'

export interface Chart {
  readonly name: string
  readonly title: string
  /** How the names of its workloads begin, in the order in which they are shown. */
  readonly workloads: readonly string[]
}

export const CHARTS: readonly Chart[] = [
  { name: 'commits', title: 'Transactions and locks', workloads: ['durable-sequential', 'durable-', 'applied-', 'bulk-', 'lock-'] },
  { name: 'reads', title: 'Reading records', workloads: ['random-get', 'random-', 'full-range'] },
  { name: 'events', title: 'Events', workloads: ['event-append', 'event-single', 'event-bulk', 'event-'] },
]

const WIDTH = 820
const LEFT = 250
const RIGHT = 80
const TOP = 62
const BAR_ROW = 20
const TITLE_ROW = 24
const GAP = 8
const LEAST = 0.125
const MOST = 32
const MARKS = [0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 32]

export function comparisonsIn({ workloads }: Chart, heats: readonly HeatResult[]): Comparison[] {
  const place = ({ name }: HeatResult): number => workloads.findIndex((beginning) => name.startsWith(beginning))
  return comparisonsOf(heats.filter((heat) => place(heat) !== -1).toSorted((a, b) => place(a) - place(b)))
}

export function drawChart(chart: Chart, heats: readonly HeatResult[]): string {
  const { title } = chart
  const groups: string[] = []
  let y = TOP
  for (const comparison of comparisonsIn(chart, heats)) {
    groups.push(group(y, comparison))
    y += TITLE_ROW + comparison.against.length * BAR_ROW + GAP
  }
  const marks = MARKS.map((ratio) => {
    const line = `<line x1="${x(ratio)}" y1="${TOP - 8}" x2="${x(ratio)}" y2="${y}" class="${ratio === 1 ? 'equal' : 'grid'}"/>`
    return `${line}<text x="${x(ratio)}" y="${TOP - 14}" class="mark">${ratio}x</text>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 4}" width="${WIDTH}" height="${y + 4}" role="img" aria-label="${title}: ledgerstone's speed divided by that of others">
<style>
text{font:12px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#24292f}.head{font-size:15px;font-weight:600}.title,.value{font-weight:600}
.peer,.value{text-anchor:end}.mark{text-anchor:middle;font-size:11px;fill:#57606a}.note{font-size:11px;fill:#57606a}
.grid{stroke:#d8dee4}.equal{stroke:#57606a}.faster{fill:#1f883d}.slower{fill:#bc4c00}.spread{stroke:#24292f;stroke-width:1.5}.aim{stroke:#8250df;stroke-width:2}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.mark,.note{fill:#9198a1}.grid{stroke:#3d444d}.equal{stroke:#9198a1}.faster{fill:#2ea043}.slower{fill:#db6d28}.spread{stroke:#e6edf3}.aim{stroke:#bc8cff}}
</style>
<text x="8" y="18" class="head">${escape(title)}</text>
<text x="8" y="34" class="note">ledgerstone's speed divided by the other's: to the right it is faster. Median of interleaved rounds, thin line: all rounds, tick: aim.</text>
${[...marks, ...groups].join('\n')}
</svg>
`
}

function group(y: number, { title, against }: Comparison): string {
  const bars = against.map((opponent, n) => bar(y + TITLE_ROW + n * BAR_ROW, opponent))
  return [`<text x="8" y="${y + 17}" class="title">${escape(title)}</text>`, ...bars].join('\n')
}

function bar(y: number, opponent: Opponent): string {
  const { peer, how, isLess } = opponent
  // Half the latency is twice as good.
  const good = (value: number): number => (isLess ? 1 / value : value)
  const ratio = good(opponent.ratio.median)
  const [least = 0, most = 0] = [good(opponent.ratio.least), good(opponent.ratio.most)].toSorted((a, b) => a - b)
  const [from, to] = [x(Math.min(1, ratio)), x(Math.max(1, ratio))]
  const aim = opponent.aim === undefined ? '' : `<line x1="${x(good(opponent.aim))}" y1="${y + 1}" x2="${x(good(opponent.aim))}" y2="${y + 17}" class="aim"/>`
  return [
    `<text x="${LEFT - 10}" y="${y + 13}" class="peer">${escape(how === '' ? peer : `${peer}, ${how}`)}</text>`,
    `<rect x="${from}" y="${y + 3}" width="${Math.max(1, to - from)}" height="12" rx="2" class="${ratio >= 1 ? 'faster' : 'slower'}"/>`,
    `<line x1="${x(least)}" y1="${y + 9}" x2="${x(most)}" y2="${y + 9}" class="spread"/>${aim}`,
    `<text x="${WIDTH - 8}" y="${y + 13}" class="value">${written(ratio)}x</text>`,
  ].join('')
}

function written(ratio: number): string {
  return ratio.toFixed(ratio < 9.95 ? (ratio < 2 ? 2 : 1) : 0)
}

function x(ratio: number): number {
  const part = Math.log2(Math.min(MOST, Math.max(LEAST, ratio)) / LEAST) / Math.log2(MOST / LEAST)
  return Math.round(LEFT + part * (WIDTH - LEFT - RIGHT))
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
