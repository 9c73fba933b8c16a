// Every check that is not a test. All of them run, so that one report shows all there is to mend; `npm run lint -- knip oxlint` runs those named.
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { root, run, tool } from './command.ts'
import { close, type Failure } from './outcome.ts'
import { Refusal } from './refusal.ts'
import { needToolchain } from './toolchain.ts'

type Check = () => Promise<string | undefined> // what is wrong, if something is

const node = (packageName: string, bin: string, ...args: string[]): Check => program(process.execPath, tool(packageName, bin), ...args)

/** A separate package, which is no member of the workspace. */
const FUZZ = 'fuzz/Cargo.toml'

const checks: Record<string, Check> = {
  build: program(process.execPath, 'scripts/run.mjs', 'build', '--profile', 'fast'),
  rustfmt: cargo('fmt', '--all', '--check'),
  'rustfmt-fuzz': cargo('fmt', '--manifest-path', FUZZ, '--check'),
  clippy: cargo('clippy', '--workspace', '--all-targets', '--locked', '--quiet', '--', '-D', 'warnings'),
  'clippy-fuzz': cargo('clippy', '--manifest-path', FUZZ, '--target-dir', 'target', '--locked', '--quiet', '--', '-D', 'warnings'),
  oxfmt: node('oxfmt', 'oxfmt', '--check'),
  oxlint: node('oxlint', 'oxlint', '--type-aware', '--deny-warnings'),
  types: node('typescript', 'tsc', '-p', 'tsconfig.json'),
  knip: node('knip', 'knip', '--no-progress'),
  publint: node('publint', 'publint', 'run', '--strict'),
  attw: node('@arethetypeswrong/cli', 'attw', '--pack', '.', '--profile', 'node16'),
  typedoc: node('typedoc', 'typedoc', '--emit', 'none'),
  binding: generatedBinding,
  platforms: generatedPlatforms,
}

const named = process.argv.slice(2)
const unknown = named.filter((name) => !(name in checks))
if (unknown.length > 0) throw new Refusal(`no such check: ${unknown.join(', ')}; there are ${Object.keys(checks).join(', ')}`)

const failures: Failure[] = []
let passed = 0
for (const [name, check] of Object.entries(checks)) {
  if (named.length > 0 && !named.includes(name)) continue
  const startedMs = performance.now()
  const problem = await check().catch((error: unknown) => String(error))
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  console.log(`${problem === undefined ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`)
  if (problem === undefined) passed++
  else {
    console.log(problem)
    failures.push({ what: name, again: `npm run lint -- ${name}` })
  }
}
close('lint', { passed, failures, skipped: [] })

function cargo(...args: string[]): Check {
  return async () => {
    await needToolchain()
    return program('cargo', ...args)()
  }
}

function program(file: string, ...args: string[]): Check {
  return async () => {
    const { exitCode, output } = await run(file, args, 'keep')
    return exitCode === 0 ? undefined : output
  }
}

/** The build has just written native.d.ts anew; what it wrote must be what is committed. */
async function generatedBinding(): Promise<string | undefined> {
  if (!existsSync(join(root, '.git'))) {
    console.log('       skipped: no git checkout to compare native.d.ts with')
    return undefined
  }
  const { exitCode, output } = await run('git', ['diff', '--exit-code', '--stat', '--', 'native.d.ts'], 'keep')
  return exitCode === 0 ? undefined : `${output}run \`npm run build\` and commit the generated file`
}

/** npm/ is what the generator makes of package.json, file by file. */
async function generatedPlatforms(): Promise<string | undefined> {
  const fresh = join('.tmp', 'npm')
  rmSync(join(root, fresh), { recursive: true, force: true })
  const { exitCode, output } = await run(process.execPath, [tool('@napi-rs/cli', 'napi'), 'create-npm-dirs', '--npm-dir', fresh], 'keep')
  if (exitCode !== 0) return output
  const made = filesOf(fresh)
  const kept = filesOf('npm')
  const differing = [...new Set([...made.keys(), ...kept.keys()])].filter((name) => made.get(name) !== kept.get(name))
  return differing.length === 0 ? undefined : `run \`npx napi create-npm-dirs\`: ${differing.join(', ')} differ`
}

function filesOf(folder: string): Map<string, string> {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).filter((name) => /\.(json|md)$/.test(name))
  return new Map(names.map((name) => [name, readFileSync(join(root, folder, name), 'utf8')]))
}
