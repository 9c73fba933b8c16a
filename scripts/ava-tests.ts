// The package's tests: runs them and reads from ava's words which failed, which were skipped, and how each is run again.
import { readdirSync } from 'node:fs'
import { join, sep } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { root, run, tool } from './command.ts'
import { type Failure, type Outcome, quoted } from './outcome.ts'

/** Which specs (all), on which Node (this), in which environment; `command` is what runs one of them again. */
export interface AvaTests {
  readonly select?: readonly string[]
  readonly node?: string
  readonly env?: Readonly<Record<string, string>>
  readonly command?: string
}

export async function avaTests({ select = [], node = process.execPath, env = {}, command = 'npm test --' }: AvaTests = {}): Promise<Outcome> {
  const { exitCode, output } = await run(node, [tool('ava', 'ava'), ...select], 'tee', { env })
  const text = stripVTControlCharacters(output)
  const specs = select.filter((argument) => argument.endsWith('.ts'))
  const seed = process.env['LEDGERSTONE_SEED_BASE']
  const settings = Object.entries({ ...(seed === undefined ? {} : { LEDGERSTONE_SEED_BASE: seed }), ...env }).map(([name, value]) => `${name}=${value} `)
  const again = (...args: string[]): string => [...settings, [command, ...args.map(quoted)].join(' ')].join('')
  // A failure's own title stands alone above its details; on the line that comes at once its message follows it.
  const titles = all(text, /(?<=\n\n) {2}(\S.*)(?=\n\n)/g)
  const failures: Failure[] = [
    ...all(text, /^ +[✘×] \[fail\]: (.+)$/gm).map((line) => {
      const what = titles.filter((title) => line.startsWith(title)).toSorted((a, b) => b.length - a.length)[0] ?? line
      return { what, again: again(...whose(what, specs, select)) }
    }),
    ...all(text, /^ +((?:Uncaught exception|Unhandled rejection) in .+)$/gm).map((what) => ({ what, again: again(...all(what, /in (\S+)$/g)) })),
    ...all(text, /^ +[✘×] (?!\[fail\])(.+)$/gm).map((what) => ({ what, again: again(...all(what, /(__test__\S+\.ts)/g)) })),
  ]
  if (exitCode !== 0 && failures.length === 0) failures.push({ what: `ava ended with ${exitCode} and named no test`, again: again(...select) })
  return { passed: all(text, /^ +([✔√]) /gm).length, failures, skipped: all(text, /^ +(?:- \[skip\]:? |ℹ SKIPPED:? )(.+)$/gm) }
}

/** What selects a test: ava puts the name of its file, and of folders where that is needed, before its title, unless it runs one file only. */
function whose(what: string, specs: readonly string[], select: readonly string[]): readonly string[] {
  const [only, ...others] = specs
  if (only !== undefined && others.length === 0 && !/[*{]/.test(only)) return [only, `--match=${what}`]
  const files = readdirSync(join(root, '__test__'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.spec.ts'))
  for (const file of files.map((name) => name.split(sep))) {
    for (let from = 0; from < file.length; from++) {
      const prefix = `${file
        .slice(from)
        .join(' › ')
        .replace(/\.spec\.ts$/, '')} › `
      if (what.startsWith(prefix)) return [`__test__/${file.join('/')}`, `--match=${what.slice(prefix.length)}`]
    }
  }
  return select
}

function all(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, found]) => found as string)
}
