// The child that opens damaged stores and tells what it finds: the right content, and whether that goes on being right after one more commit, or
// the error. Several in one process, each announced before it is touched, so that a death is the death of the one announced last.
//
//   examine.ts SAMPLE WORK INJURIES FIRST     INJURIES: a JSON file with a list of them; begins with the FIRST
import { cpSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { LedgerstoneError, open } from 'ledgerstone'
import { report } from '../support/report.ts'
import { injure, type Injury } from './injury.ts'
import { type Content, contentAfter, type Happened, readAll, SAMPLE_OPTIONS, type Sample, writeCommit } from './sample.ts'

/** What came of one injury. `commits`: so many are there, and exactly those. */
export type Finding =
  | { readonly commits: number; readonly bytesCut: number }
  | { readonly code: string; readonly name: string; readonly message: string; readonly file?: string; readonly offset?: number }
  | { readonly wrong: string }

const [sample, work, injuries, first] = process.argv.slice(2) as [string, string, string, string]
const list = JSON.parse(readFileSync(injuries, 'utf8')) as Injury[]
for (let i = Number(first); i < list.length; i++) {
  const folder = join(work, `${i}`)
  cpSync(sample, folder, { recursive: true })
  injure(folder, list[i] as Injury)
  report(`begin ${i}`)
  report(`found ${i} ${JSON.stringify(await examine(folder))}`)
  rmSync(folder, { recursive: true, force: true })
}

async function examine(folder: string): Promise<Finding> {
  try {
    let store: Sample = await open<Happened>(folder, SAMPLE_OPTIONS)
    const { bytesCut } = store.stats().recovery
    try {
      const commits = rightContent(readAll(store), 0)
      await writeCommit(store, commits + 1)
      await store.close()
      store = await open<Happened>(folder, SAMPLE_OPTIONS)
      rightContent(readAll(store), commits + 1)
      return { commits, bytesCut }
    } finally {
      await store.close()
    }
  } catch (error) {
    if (!(error instanceof LedgerstoneError)) return { wrong: String((error as Error).stack) }
    const { code, name, message } = error
    const { file, offset } = error as { file?: string; offset?: number }
    return { code, name, message, ...(file === undefined ? {} : { file }), ...(offset === undefined ? {} : { offset }) }
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
