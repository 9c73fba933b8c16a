// The picture of a result: one bar for each ratio, the line where both sides are equal, the spread as a thin stroke. Logarithmic, so that
// twice as fast and half as fast are the same length.
import type { HeatResult } from './result.ts'
import type { Spread } from './statistics.ts'

const WIDTH = 760
const LABEL = 330
const ROW = 22
const LEAST = 0.25
const MOST = 32

export function drawRatios(heats: readonly HeatResult[]): string {
  const bars: string[] = []
  let y = 50
  for (const { title, rows } of heats) {
    bars.push(`<text x="8" y="${y + 14}" class="title">${escape(title)}</text>`)
    y += ROW
    for (const { contestant, ratio } of rows) {
      if (ratio === undefined) continue
      bars.push(bar(y, contestant, ratio))
      y += ROW
    }
    y += 8
  }
  const marks = [0.5, 1, 2, 4, 8, 16].map(
    (ratio) => `<line x1="${x(ratio)}" y1="40" x2="${x(ratio)}" y2="${y}" class="${ratio === 1 ? 'equal' : 'grid'}"/><text x="${x(ratio)}" y="34" class="mark">${ratio}x</text>`,
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 10}" role="img" aria-label="ledgerstone's speed divided by that of its peers">
<style>
text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-weight:600}.mark{text-anchor:middle;font-size:11px;fill:#57606a}.value{font-size:11px}
.grid{stroke:#d0d7de}.equal{stroke:#57606a;stroke-dasharray:4 3}.faster{fill:#2da44e}.slower{fill:#bf8700}.spread{stroke:#24292f}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.mark{fill:#8b949e}.grid{stroke:#30363d}.equal{stroke:#8b949e}.spread{stroke:#e6edf3}}
</style>
<text x="8" y="18" class="title">ledgerstone / peer, operations per second, medians of interleaved rounds</text>
${[...marks, ...bars].join('\n')}
</svg>
`
}

function bar(y: number, contestant: string, { median, least, most }: Spread): string {
  const [from, to] = [x(Math.min(1, median)), x(Math.max(1, median))]
  return [
    `<text x="24" y="${y + 14}">${escape(contestant)}</text>`,
    `<rect x="${from}" y="${y + 3}" width="${Math.max(1, to - from)}" height="14" class="${median >= 1 ? 'faster' : 'slower'}"/>`,
    `<line x1="${x(least)}" y1="${y + 10}" x2="${x(most)}" y2="${y + 10}" class="spread"/>`,
    `<text x="${Math.max(to, x(most)) + 6}" y="${y + 14}" class="value">${median.toFixed(2)}x</text>`,
  ].join('')
}

function x(ratio: number): number {
  const part = Math.log2(Math.min(MOST, Math.max(LEAST, ratio)) / LEAST) / Math.log2(MOST / LEAST)
  return Math.round(LABEL - 80 + part * (WIDTH - LABEL + 30))
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
