// Heats as a reader wants to see them: one for each kind of work, with what it was compared with by the names that people know, wherever it ran.
import type { HeatResult, Verdict } from './result.ts'
import type { Spread } from './statistics.ts'

export interface Comparison {
  readonly title: string
  readonly unit: string
  /** Ours, operations per second. */
  readonly rate: number
  readonly against: readonly Opponent[]
}

export interface Opponent {
  /** `lmdb`, `floor`: whose column it belongs to. */
  readonly peer: string
  /** What is special about it, such as `getBinaryFast`; empty when nothing is. */
  readonly how: string
  readonly ratio: Spread
  /** Less is better: a latency. */
  readonly isLess: boolean
  readonly must?: number
  readonly aim?: number
}

const OURS = /^ledgerstone/
const PEERS: Readonly<Record<string, readonly [peer: string, how: string]>> = {
  'lmdb-typed': ['lmdb', ''],
  'lmdb (keys)': ['lmdb', ''],
  'lmdb (fast)': ['lmdb', 'getBinaryFast'],
  'lmdb (committed)': ['lmdb', 'committed'],
  'better-sqlite3 (normal)': ['better-sqlite3', 'synchronous NORMAL'],
  'floor (unflushed)': ['floor', 'unflushed'],
  'json-parse': ['JSON.parse', ''],
}
const OURS_BY_THE_WAY: Readonly<Record<string, string>> = { 'ledgerstone (pages)': 'pages()' }
const FIGURES: Readonly<Record<string, string>> = { p99Ms: 'p99 of the latency' }

export function comparisonsOf(heats: readonly HeatResult[]): Comparison[] {
  const byTitle = new Map<string, Comparison>()
  for (const heat of heats) {
    const against = [...rowsOf(heat), ...othersOf(heat)]
    if (against.length === 0) continue
    const known = byTitle.get(heat.title)
    const rate = heat.rows[0]?.rate.median ?? 0
    byTitle.set(heat.title, known === undefined ? { title: heat.title, unit: heat.unit, rate, against } : { ...known, against: [...known.against, ...against] })
  }
  return [...byTitle.values()]
}

function rowsOf({ rows, verdicts }: HeatResult): Opponent[] {
  return rows.flatMap(({ contestant, ratio }) => {
    if (ratio === undefined || OURS.test(contestant)) return []
    const target = verdicts.find((verdict) => verdict.against === contestant && verdict.figure === undefined && verdict.of === rows[0]?.contestant)
    return [opponent(contestant, '', ratio, target)]
  })
}

/** Verdicts on another of ours than the first, or on something else than the rate. */
function othersOf({ rows, verdicts }: HeatResult): Opponent[] {
  return verdicts
    .filter(({ of, figure }) => figure !== undefined || of !== rows[0]?.contestant)
    .map((verdict) => opponent(verdict.against, FIGURES[verdict.figure ?? ''] ?? OURS_BY_THE_WAY[verdict.of] ?? verdict.of, verdict.ratio, verdict))
}

function opponent(contestant: string, special: string, ratio: Spread, target: Verdict | undefined): Opponent {
  const [peer, how] = PEERS[contestant] ?? [contestant, '']
  const bounds = target === undefined ? {} : { must: target.must, aim: target.aim }
  return { peer, how: [special, how].filter((part) => part !== '').join(', '), ratio, isLess: target?.better === 'less', ...bounds }
}
