// The child that opens damaged stores and tells what it finds: the right content, and whether that goes on being right after one more commit, or
// the error. Several in one process, each announced before it is touched, so that a death is the death of the one announced last.
//
//   examine.ts SAMPLE WORK INJURIES FIRST     INJURIES: a JSON file with a list of them; begins with the FIRST
import { copyFileSync, cpSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { LedgerstoneError, open } from 'ledgerstone'
import { report } from '../support/report.ts'
import { verifyClosed } from '../../src/canonical-store/verification.ts'
import { injure, injured, type Injury } from './injury.ts'
import { STATE_FILE } from './mutations.ts'
import { type Content, contentAfter, type Happened, readAll, SAMPLE_OPTIONS, type Sample, writeCommit } from './sample.ts'

/** What came of one injury. `commits`: so many are there, and exactly those. `problems`: so many did a verification find before. `opened`: reading failed, not opening. */
export type Finding =
  | { readonly commits: number; readonly bytesCut: number; readonly problems: number }
  | {
      readonly code: string
      readonly name: string
      readonly message: string
      readonly file?: string
      readonly offset?: number
      readonly problems: number
      readonly opened: boolean
    }
  | { readonly wrong: string }

const [sample, work, injuries, first] = process.argv.slice(2) as [string, string, string, string]
const list = JSON.parse(readFileSync(injuries, 'utf8')) as Injury[]
const folder = join(work, first)
cpSync(sample, folder, { recursive: true })
for (let i = Number(first); i < list.length; i++) {
  const injury = list[i] as Injury
  injure(folder, injury)
  report(`begin ${i}`)
  const finding = await examine(folder, injured(injury)).catch((error: Error) => ({ wrong: String(error.stack) }))
  report(`found ${i} ${JSON.stringify(finding)}`)
  restore(injury, finding)
}
rmSync(folder, { recursive: true, force: true })

/** A store that was refused has not been changed by that; any other is copied anew. */
function restore(injury: Injury, finding: Finding): void {
  if ('code' in finding && !finding.opened && injury.kind !== 'add') {
    for (const file of injured(injury)) copyFileSync(join(sample, file), join(folder, file))
  } else {
    rmSync(folder, { recursive: true, force: true })
    cpSync(sample, folder, { recursive: true })
  }
}

async function examine(folder: string, files: readonly string[]): Promise<Finding> {
  const { problems } = await verifyClosed(folder)
  const state = problems.find(({ file }) => file === join(folder, STATE_FILE))
  if (files.includes(STATE_FILE) && state !== undefined && state.kind !== 'missing') {
    const { kind, file, offset, message } = state
    return {
      code: 'ERR_CORRUPT',
      name: 'CorruptionError',
      message: `${kind}: ${message}`,
      file,
      ...(offset === undefined ? {} : { offset }),
      problems: problems.length,
      opened: false,
    }
  }
  return { ...(await examineOpen(folder)), problems: problems.length }
}

async function examineOpen(folder: string): Promise<Finding> {
  let opened = false
  try {
    let store: Sample = await open<Happened>(folder, SAMPLE_OPTIONS)
    opened = true
    const { bytesCut } = store.stats().recovery
    try {
      const commits = rightContent(readAll(store), 0)
      await writeCommit(store, commits + 1)
      await store.close()
      store = await open<Happened>(folder, SAMPLE_OPTIONS)
      rightContent(readAll(store), commits + 1)
      return { commits, bytesCut, problems: 0 }
    } finally {
      await store.close()
    }
  } catch (error) {
    if (!(error instanceof LedgerstoneError)) return { wrong: String((error as Error).stack) }
    const { code, name, message } = error
    const { file, offset } = error as { file?: string; offset?: number }
    return { code, name, message, ...(file === undefined ? {} : { file }), ...(offset === undefined ? {} : { offset }), problems: 0, opened }
  }
}

/** The number of commits, when what was read is what so many commits make; `expected` 0: any number. */
function rightContent(content: Content, expected: number): number {
  if (expected > 0 && content.seq !== expected) throw new Error(`commit ${content.seq} is the newest, not ${expected}`)
  const right = contentAfter(content.seq)
  for (const part of ['collections', 'entries', 'events'] as const) {
    if (!isDeepStrictEqual(content[part], right[part])) throw new Error(`${part} are not what ${content.seq} commits make: ${difference(content[part], right[part])}`)
  }
  return content.seq
}

function difference(found: readonly unknown[], right: readonly unknown[]): string {
  const at = right.findIndex((part, i) => !isDeepStrictEqual(part, found[i]))
  return `${found.length} instead of ${right.length}, first at ${at}: ${JSON.stringify(found[at])?.slice(0, 120)} instead of ${JSON.stringify(right[at])?.slice(0, 120)}`
}
