// Results on the disk: each full run as JSON under its date, and what is drawn from one of them: the charts, the README's ten rows, the tables of docs/BENCH.md.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CHARTS, drawChart } from './chart.ts'
import { allFiguresOf, summaryFiguresOf, withFigures } from './figures.ts'
import type { Result } from './result.ts'

const folderOf = (root: string): string => join(root, 'bench', 'results')

export function keep(root: string, result: Result): string {
  mkdirSync(folderOf(root), { recursive: true })
  const path = join(folderOf(root), `${result.date.slice(0, 16).replace(':', '-')}.json`)
  writeFileSync(path, `${JSON.stringify(result, undefined, 2)}\n`)
  return path
}

export function kept(path: string): Result {
  return JSON.parse(readFileSync(path, 'utf8')) as Result
}

export function draw(root: string, result: Result): void {
  mkdirSync(folderOf(root), { recursive: true })
  for (const chart of CHARTS) writeFileSync(join(folderOf(root), `${chart.name}.svg`), drawChart(chart, result.heats))
  const drawings: readonly (readonly [document: string, figures: string])[] = [
    ['README.md', summaryFiguresOf(result)],
    ['docs/BENCH.md', allFiguresOf(result)],
  ]
  for (const [document, figures] of drawings) {
    const path = join(root, document)
    writeFileSync(path, withFigures(readFileSync(path, 'utf8'), figures))
  }
}
