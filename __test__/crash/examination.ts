// Examines damaged copies of a sample store in separate processes and judges what they find: the right data or a documented error with file and place. Never a
// signal, a hang or a wrong value.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { Child } from '../support/child.ts'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'
import type { Finding } from './examine.ts'
import { describe, injured, type Injury } from './injury.ts'

const EXAMINE = new URL('examine.ts', import.meta.url)
const LIMIT_MS = 120_000
const PROCESSES = 2
/** What a sample holds, and how much of that LMDB and the log have. */
export const COMMITS = 330
export const FLUSH_AFTER = 180

/** A store to be damaged. With so many commits at least, whatever is damaged; but what only `newest`, a journal file, knows goes with it. */
export interface Sample {
  readonly path: string
  readonly fewest: number
  readonly newest?: string | undefined
}

/** Examines a copy of the sample for each injury and judges what was found. */
export async function damage(t: ExecutionContext, sample: Sample, injuries: readonly Injury[]): Promise<Finding[]> {
  t.timeout(injuries.length * LIMIT_MS)
  const found = await examineAll(sample.path, injuries)
  const wrong = found.flatMap((finding, i) => {
    const injury = injuries[i] as Injury
    const problem = problemOf(sample, injury, finding)
    return problem === undefined ? [] : [`${describe(injury)}: ${problem}`]
  })
  t.deepEqual(wrong, [])
  const codes = found.map((finding) => codeOf(finding) ?? ('commits' in finding ? `${finding.commits} commits` : 'wrong'))
  t.log([...new Set(codes)].map((code) => `${codes.filter((other) => other === code).length} × ${code}`).join(', '))
  return found
}

function problemOf(sample: Sample, injury: Injury, finding: Finding): string | undefined {
  if ('wrong' in finding) return finding.wrong
  if ('commits' in finding) {
    // No other file witnesses its end; what it lost is the newest commits, whole.
    if (injured(injury).includes(sample.newest ?? '') && injury.kind !== 'flip' && finding.commits >= FLUSH_AFTER) return undefined
    if (finding.commits < sample.fewest || finding.commits > COMMITS) return `${finding.commits} commits, ${finding.bytesCut} bytes cut`
    return finding.commits < COMMITS && finding.bytesCut === 0 ? 'a tail was cut without a word' : undefined
  }
  if (finding.problems === 0) return `a verification has not found what opening has: ${finding.code} ${finding.message}`
  if (finding.code === 'ERR_FORMAT') return finding.name === 'FormatError' ? undefined : `${finding.code} is a ${finding.name}`
  if (finding.code !== 'ERR_CORRUPT') return `${finding.code}: ${finding.message}`
  if (finding.name !== 'CorruptionError') return `${finding.code} is a ${finding.name}`
  if (typeof finding.file !== 'string' || typeof finding.offset !== 'number') return `no file or offset: ${finding.message}`
  return undefined
}

async function examineAll(sample: string, injuries: readonly Injury[]): Promise<Finding[]> {
  const size = Math.max(20, Math.ceil(injuries.length / PROCESSES))
  const parts = Array.from({ length: Math.ceil(injuries.length / size) }, (_, i) => injuries.slice(i * size, (i + 1) * size))
  return (await Promise.all(parts.map((part) => examineInTurn(sample, part)))).flat()
}

/** One process for as many injuries as it survives; the one that it dies of is reported as such, and the next process goes on after it. */
async function examineInTurn(sample: string, injuries: readonly Injury[]): Promise<Finding[]> {
  const work = makeTemporaryFolder()
  const list = join(work, 'injuries.json')
  writeFileSync(list, JSON.stringify(injuries))
  const found: Finding[] = []
  while (found.length < injuries.length) {
    const { ended, lastBegun } = await examineFrom(sample, work, list, found)
    if (found.length === injuries.length) break
    found[lastBegun] ??= { wrong: ended }
    if (lastBegun < 0) throw new Error(ended)
  }
  rmSync(work, { recursive: true, force: true })
  return found
}

async function examineFrom(sample: string, work: string, list: string, found: Finding[]): Promise<{ ended: string; lastBegun: number }> {
  let lastBegun = -1
  let idle: NodeJS.Timeout | undefined
  let hung = false
  const child: Child = new Child(EXAMINE, {
    args: [sample, work, list, String(found.length)],
    limitMs: 3_600_000,
    onReport: (line) => {
      const [kind, index] = line.split(' ', 2) as [string, string]
      if (kind === 'begin') lastBegun = Number(index)
      else found[Number(index)] = JSON.parse(line.slice(kind.length + index.length + 2)) as Finding
      clearTimeout(idle)
      idle = setTimeout(() => {
        hung = true
        child.kill('SIGKILL')
      }, LIMIT_MS)
    },
  })
  const { code, signal, stderr } = await child.ended
  clearTimeout(idle)
  return { ended: hung ? `hung for ${LIMIT_MS} ms` : `died: code=${code} signal=${signal} ${stderr}`, lastBegun }
}

export function codeOf(finding: Finding | undefined): string | undefined {
  return finding !== undefined && 'code' in finding ? finding.code : undefined
}
