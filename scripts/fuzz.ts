// Lets libFuzzer look for bytes that break a promise of crates/fuzz-targets, and says where it has put them. `npm test` tries the seeds and some
// thousand variations of them. What was found stays in target/fuzz and is gone on with.
//
//   npm run fuzz                       the targets
//   npm run fuzz -- journal            that one
//   --seconds N                        for so long (default 120)
//   --input FILE                       this file alone, once
import { mkdirSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { root, run } from './command.ts'
import { Refusal } from './refusal.ts'
import { needCxx, needToolchain } from './toolchain.ts'

/** Coverage for libFuzzer on stable Rust, as `cargo fuzz` asks for it. */
const COVERAGE = [
  '-Cpasses=sancov-module',
  '-Cllvm-args=-sanitizer-coverage-level=4',
  '-Cllvm-args=-sanitizer-coverage-inline-8bit-counters',
  '-Cllvm-args=-sanitizer-coverage-pc-table',
  '-Cllvm-args=-sanitizer-coverage-trace-compares',
  '--cfg=fuzzing',
  '-Ccodegen-units=1',
]
const FOLDER = join(root, 'target', 'fuzz')
/** An input that takes longer is a hang, one that is longer is not made. */
const LIMITS = ['-timeout=25', '-rss_limit_mb=4096', '-max_len=65536', '-print_final_stats=1']

const { values, positionals } = parseArgs({ allowPositionals: true, options: { seconds: { type: 'string', default: '120' }, input: { type: 'string' } } })
const seconds = Number(values.seconds)
if (!Number.isSafeInteger(seconds) || seconds < 1) throw new Refusal('--seconds is a whole number, at least 1')
await needToolchain()
const targets = await targetList()
const [name, ...others] = positionals
if (name === undefined) console.log([...targets].map(([target, about]) => `  ${target.padEnd(10)}  ${about}`).join('\n'))
else if (others.length > 0 || !targets.has(name)) throw new Refusal(`no such target: ${positionals.join(', ')}; there are ${[...targets.keys()].join(', ')}`)
else process.exitCode = await fuzz(name)

async function fuzz(target: string): Promise<number> {
  await needCxx()
  const program = await build()
  const [found, seeds, failures] = ['corpus', 'seeds', 'failures'].map((kind) => join(FOLDER, kind, target)) as [string, string, string]
  for (const folder of [found, seeds, failures]) mkdirSync(folder, { recursive: true })
  await must(seedTool(target, seeds), 'the seeds are not made')
  const inputs = values.input === undefined ? [found, seeds, `-max_total_time=${seconds}`] : [resolve(values.input)]
  const { exitCode } = await run(program, [...inputs, ...LIMITS, `-artifact_prefix=${failures}/`], 'show', { env: { LEDGERSTONE_FUZZ_TARGET: target } })
  const kept = readdirSync(failures)
  if (exitCode !== 0)
    console.error(
      `fuzz: ${target} does not hold; ${kept.length} inputs are in ${failures}; again: npm run fuzz -- ${target} --input ${join(failures, kept.at(-1) ?? 'FILE')}`,
    )
  return exitCode
}

/** An explicit target keeps the flags away from build scripts and macros. */
async function build(): Promise<string> {
  const { output } = await run('rustc', ['-vV'], 'keep')
  const host = /^host: (.+)$/m.exec(output)?.[1]
  if (host === undefined) throw new Refusal('rustc does not say for which platform it compiles')
  const cargo = ['build', '--release', '--locked', '--manifest-path', 'fuzz/Cargo.toml', '--target', host, '--target-dir', FOLDER]
  if ((await run('cargo', cargo, 'show', { env: { RUSTFLAGS: COVERAGE.join(' ') } })).exitCode !== 0) throw new Refusal('the fuzzer does not build')
  return join(FOLDER, host, 'release', 'ledgerstone-fuzz')
}

/** The targets by name, with what each takes. */
async function targetList(): Promise<Map<string, string>> {
  const lines = (await must(seedTool(), 'the targets do not build')).trim().split('\n')
  return new Map(lines.map((line) => line.split('\t') as [string, string]))
}

function seedTool(...args: readonly string[]): readonly string[] {
  return ['run', '--profile', 'fast', '--locked', '--quiet', '-p', 'ledgerstone-fuzz-targets', '--example', 'seeds', '--', ...args]
}

async function must(cargo: readonly string[], otherwise: string): Promise<string> {
  const { exitCode, output } = await run('cargo', cargo, 'keep')
  if (exitCode !== 0) throw new Refusal(`${otherwise}\n${output}`)
  return output
}
