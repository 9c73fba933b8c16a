// What the benchmark concludes from rounds: ratios between neighbours in time, grades, who could not prove that it flushes, and whether the machine was steady.
import { readFileSync, readdirSync } from 'node:fs'
import test from 'ava'
import { CHARTS, drawChart } from '../../bench/chart.ts'
import { unprovenOf, type Durability } from '../../bench/durability.ts'
import { floorsOf, isSteady } from '../../bench/floors.ts'
import { allFiguresOf, SUMMARY, summaryFiguresOf, withFigures } from '../../bench/figures.ts'
import type { HeatResult, Result, Rounds, Row } from '../../bench/result.ts'
import { rowOf, verdictOf } from '../../bench/verdict.ts'

const rounds = (contestant: string, rates: readonly number[], p99Ms = 1): Rounds => ({
  contestant,
  durability: 'flushed to the device',
  measured: rates.map((operations) => ({ operations, ms: 1000, flushes: { device: operations / 100 }, figures: { p99Ms } })),
})

const row = (contestant: string, durability: Durability, flushes: Row['flushes']): Row => ({
  contestant,
  durability,
  flushes,
  rate: { median: 1, least: 1, most: 1 },
  figures: {},
})

const heat = (count: number, rate: Row['rate']): HeatResult => ({
  name: 'durable-sequential',
  title: 'one after another',
  unit: 'transactions',
  node: '20',
  rounds: count,
  records: 1,
  seconds: 1,
  verdicts: [],
  unproven: [],
  rows: [
    { ...row('ledgerstone', 'flushed to the device', {}), rate },
    { ...row('floor', 'flushed to the device', {}), rate, ratio: { median: 0.9, least: 0.8, most: 1 } },
  ],
})

test('a ratio is taken round by round, and summed up as its median', (t) => {
  // The machine was ten times slower in the second round: the medians of the rates would say 1.
  const [ours, theirs] = [rounds('ours', [100, 10, 100]), rounds('theirs', [50, 5, 100])]
  t.deepEqual(rowOf(theirs, ours).ratio, { median: 2, least: 1, most: 2 })
  t.is(rowOf(ours, ours).ratio, undefined)
  t.deepEqual(rowOf(theirs, ours).flushes, { device: 0.5 })
})

test('a target is reached, aimed at, or missed, whichever side is good', (t) => {
  const all = [rounds('ours', [200], 2), rounds('theirs', [100], 4)]
  const gradeOf = (must: number, aim: number): string | undefined => verdictOf({ against: 'theirs', must, aim, better: 'more' }, all)?.grade
  t.deepEqual([gradeOf(1.5, 2), gradeOf(2, 2.1), gradeOf(2.1, 3)], ['aim', 'must', 'short'])
  const latencyOf = (must: number, aim: number): string | undefined => verdictOf({ against: 'theirs', figure: 'p99Ms', must, aim, better: 'less' }, all)?.grade
  t.deepEqual([latencyOf(1, 0.5), latencyOf(0.5, 0.4), latencyOf(0.4, 0.3)], ['aim', 'must', 'short'])
  t.is(verdictOf({ against: 'nobody', must: 1, aim: 1, better: 'more' }, all), undefined)
})

test('who says that it flushes and is not counted to is named', (t) => {
  const flushed = 'flushed to the device'
  const rows = [
    row('honest', flushed, { store: 1, device: 1.02 }),
    row('lying', flushed, { device: 0.4 }),
    row('writing', 'written', { device: 0 }),
    row('unseen', flushed, {}),
  ]
  const found = unprovenOf({ name: 'transaction', leastFlushes: 1 }, rows)
  t.is(found.length, 1)
  t.regex(found[0] ?? '', /^lying says that it flushes; the device counted 0.400 flushes for each transaction$/)
  t.deepEqual(unprovenOf({ name: 'batch', leastFlushes: 1 / 8 }, rows), [])
})

test('the floor is steady below 15 % between its rounds, and not known by one round', (t) => {
  const steady = (count: number, least: number, most: number): boolean => isSteady(floorsOf([heat(count, { median: 100, least, most })]))
  t.true(steady(5, 95, 109))
  t.false(steady(5, 95, 110))
  t.false(steady(1, 100, 100))
  t.false(isSteady([]))
})

const documentOf = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

for (const path of ['README.md', 'docs/BENCH.md']) {
  test(`figures go between the two marks of ${path}, and nowhere else`, (t) => {
    const document = documentOf(path)
    const once = withFigures(document, 'these')
    t.is(withFigures(once, 'these'), once)
    const [before, after] = once.split('\n\nthese\n\n')
    t.true(document.startsWith(before ?? '?') && document.endsWith(after ?? '?'))
  })
}

test('a document without a place for figures is refused', (t) => {
  t.throws(() => withFigures('# no marks', 'these'), { message: /no place for figures/ })
})

test('the README shows ten rows of a result, each of which docs/BENCH.md has too, and both are drawn from one that is kept', (t) => {
  const kept = readdirSync(new URL('../../bench/results', import.meta.url))
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(documentOf(`bench/results/${name}`)) as Result)
  t.is(SUMMARY.length, 10)
  for (const result of kept) {
    const [some, all] = [summaryFiguresOf(result), allFiguresOf(result)]
    const rows = some
      .split('\n')
      .filter((line) => line.startsWith('| '))
      .slice(2)
    t.is(rows.length, 10)
    for (const row of rows) t.true(all.includes(row), row)
  }
  t.true(kept.some((result) => withFigures(documentOf('README.md'), summaryFiguresOf(result)) === documentOf('README.md')))
  t.true(kept.some((result) => withFigures(documentOf('docs/BENCH.md'), allFiguresOf(result)) === documentOf('docs/BENCH.md')))
})

test('a chart has a bar for each comparison', (t) => {
  const [chart] = CHARTS
  const svg = drawChart(chart!, [heat(5, { median: 100, least: 95, most: 105 })])
  t.is([...svg.matchAll(/<rect /g)].length, 1)
  t.true(svg.includes('>floor</text>') && svg.includes('>0.90x</text>'))
})
