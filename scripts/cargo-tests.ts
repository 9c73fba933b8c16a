// The crates' tests: runs them and reads from cargo's words which failed, and how each is run again.
import { stripVTControlCharacters } from 'node:util'
import { run } from './command.ts'
import { type Failure, type Outcome, quoted } from './outcome.ts'
import { needToolchain } from './toolchain.ts'

const COMMON = ['test', '--profile', 'fast', '--locked', '--no-fail-fast'] as const

/** Which of them: cargo's arguments, those of the test programs, and their environment. */
export interface CargoTests {
  readonly select: readonly string[]
  readonly filter?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export async function cargoTests({ select, filter = [], env = {} }: CargoTests): Promise<Outcome> {
  await needToolchain()
  const { exitCode, output } = await run('cargo', [...COMMON, ...select, '--', '--quiet', ...filter], 'tee', { env })
  const text = stripVTControlCharacters(output)
  const passed = [...text.matchAll(/^test result: \w+\. (\d+) passed; \d+ failed;/gm)].reduce((all, [, n]) => all + Number(n), 0)
  const failures = failuresIn(text, env)
  const again = command(env, [...COMMON, ...select, ...(filter.length > 0 ? ['--', ...filter] : [])])
  if (exitCode !== 0 && failures.length === 0) failures.push({ what: `cargo test ${select.join(' ')} ended with ${exitCode} and named no test`, again })
  return { passed, failures, skipped: [] }
}

/** Each program that failed lists its tests; cargo lists the programs in the same order at the end. */
function failuresIn(text: string, env: Readonly<Record<string, string>>): Failure[] {
  const lists = [...text.matchAll(/^failures:\n((?: {4}\S.*\n)+)/gm)].map(([, names]) => lines(names))
  const programs = lines(/^error: \d+ targets? failed:\n((?: {4}`.+`\n?)+)/m.exec(text)?.[1]).map((line) => line.replaceAll('`', ''))
  // One that crashed lists nothing, and then it is not known which list is whose.
  const isPaired = lists.length === programs.length
  const tests = lists.flatMap((names, n) => names.map((name) => ({ name, program: isPaired ? (programs[n] as string) : '--workspace' })))
  const crashed = isPaired ? [] : programs.map((program) => ({ what: `the program of ${program} failed`, again: command(env, [...COMMON, ...program.split(' ')]) }))
  return [
    ...tests.map(({ name, program }) => ({
      what: `${program} ${name}`,
      again: command(env, [...COMMON, ...program.split(' '), '--', '--exact', name.replace(/ - should panic$/, '')]),
    })),
    ...crashed,
  ]
}

function lines(text: string | undefined): string[] {
  return text === undefined
    ? []
    : text
        .trimEnd()
        .split('\n')
        .map((line) => line.trim())
}

function command(env: Readonly<Record<string, string>>, args: readonly string[]): string {
  const kept = { ...(process.env['LEDGERSTONE_SEED_BASE'] === undefined ? {} : { LEDGERSTONE_SEED_BASE: process.env['LEDGERSTONE_SEED_BASE'] }), ...env }
  return [...Object.entries(kept).map(([name, value]) => `${name}=${value}`), 'cargo', ...args.map(quoted)].join(' ')
}
