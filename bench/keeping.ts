// Results on the disk: each full run as JSON under its date, and what is drawn from one of them, the charts and the README's tables.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CHARTS, drawChart } from './chart.ts'
import { figuresOf, withFigures } from './readme.ts'
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
  const readme = join(root, 'README.md')
  writeFileSync(readme, withFigures(readFileSync(readme, 'utf8'), figuresOf(result)))
}
