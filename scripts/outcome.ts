// What a run of tests came to: how many passed, which failed and how to run one of them again, what was skipped and why. Every command that runs tests ends with
// it, and leaves its line in target/totals for `.ci/run`.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './command.ts'

export interface Failure {
  readonly what: string
  /** The command that runs it alone. */
  readonly again: string
}

export interface Outcome {
  readonly passed: number
  readonly failures: readonly Failure[]
  readonly skipped: readonly string[]
}

export function passes(passed: number): Outcome {
  return { passed, failures: [], skipped: [] }
}

export function fails(what: string, again: string): Outcome {
  return { passed: 0, failures: [{ what, again }], skipped: [] }
}

export function skips(why: string): Outcome {
  return { passed: 0, failures: [], skipped: [why] }
}

export function sum(outcomes: readonly Outcome[]): Outcome {
  return {
    passed: outcomes.reduce((all, { passed }) => all + passed, 0),
    failures: outcomes.flatMap(({ failures }) => failures),
    skipped: outcomes.flatMap(({ skipped }) => skipped),
  }
}

/** Says what it is doing, does it, and says how long it took and what came of it. What it throws is a failure. */
export async function step(what: string, again: string, work: () => Promise<Outcome>): Promise<Outcome> {
  console.log(`\n== ${what}`)
  const startedMs = performance.now()
  const outcome = await work().catch((error: unknown) => fails(`${what}: ${String(error)}`, again))
  console.log(`== ${what}: ${figures(outcome)}, ${((performance.now() - startedMs) / 1000).toFixed(0)} s`)
  return outcome
}

/** The last words of a command, and its exit code. */
export function close(command: 'test' | 'proof' | 'lint', outcome: Outcome): void {
  const { passed, failures, skipped } = outcome
  if (skipped.length > 0) console.log(`\nskipped:\n${skipped.map((what) => `  ${what}`).join('\n')}`)
  if (failures.length > 0) console.log(`\nfailed:\n${failures.map(({ what, again }) => `  ${what}\n    again: ${again}`).join('\n')}`)
  const line = `${passed} passed, ${failures.length} failed`
  console.log(`\n${line}`)
  const folder = join(root, 'target', 'totals')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, command), `${line}\n`)
  process.exitCode = failures.length === 0 ? 0 : 1
}

/** A word for the shell. */
export function quoted(word: string): string {
  return /^[\w./:=@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

function figures({ passed, failures, skipped }: Outcome): string {
  const more = skipped.length === 0 ? '' : `, ${skipped.length} skipped`
  return `${passed} passed, ${failures.length} failed${more}`
}
