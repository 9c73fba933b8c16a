// All tests: the package is built when it is out of date, then the crates' tests and those of the package run. The totals are
// left in target/test-totals.txt for `.ci/run`. Arguments go to ava: `npm test -- __test__/tidy.spec.ts` runs that one and no Rust.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { root, run, tool } from './command.ts'

interface Totals { passed: number; failed: number }

const selected = process.argv.slice(2)

await must(process.execPath, ['scripts/run.mjs', 'build', '--profile', 'fast'])
const rust = selected.length > 0 ? undefined : await cargo()
const node = await ava()

const all = { passed: (rust?.passed ?? 0) + node.passed, failed: (rust?.failed ?? 0) + node.failed }
mkdirSync(join(root, 'target'), { recursive: true })
writeFileSync(join(root, 'target', 'test-totals.txt'), `${all.passed} passed, ${all.failed} failed\n`)
if (rust !== undefined) console.log(`Rust: ${rust.passed} passed, ${rust.failed} failed`)
console.log(`Node: ${node.passed} passed, ${node.failed} failed`)
process.exitCode = all.failed === 0 ? 0 : 1

async function cargo(): Promise<Totals> {
  const { exitCode, output } = await run('cargo', ['test', '--workspace', '--profile', 'fast', '--locked', '--no-fail-fast', '--quiet'], 'tee')
  const totals = { passed: 0, failed: 0 }
  for (const [, passed, failed] of stripVTControlCharacters(output).matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed;/gm)) {
    totals.passed += Number(passed)
    totals.failed += Number(failed)
  }
  return withExitCode(totals, exitCode)
}

async function ava(): Promise<Totals> {
  const { exitCode, output } = await run(process.execPath, [tool('ava', 'ava'), ...selected], 'tee')
  const text = stripVTControlCharacters(output)
  const count = (what: RegExp): number => [...text.matchAll(what)].reduce((sum, [, n]) => sum + Number(n), 0)
  const passed = count(/^\s*(\d+) tests? passed$/gm)
  const failed = count(/^\s*(\d+) (?:tests? failed|uncaught exceptions?|unhandled rejections?|tests? remained pending.*)$/gm)
  return withExitCode({ passed, failed }, exitCode)
}

/** A run that ended badly without naming a test, such as a crate that does not compile, is a failure all the same. */
function withExitCode(totals: Totals, exitCode: number): Totals {
  return exitCode !== 0 && totals.failed === 0 ? { ...totals, failed: 1 } : totals
}

async function must(program: string, args: readonly string[]): Promise<void> {
  const { exitCode } = await run(program, args, 'show')
  if (exitCode !== 0) process.exit(exitCode)
}
