// Builds what is missing or out of date: the native binding, then the package's JavaScript and types, as ES modules and as CommonJS.
// A second run with nothing changed compares hashes and is done.
//
//   --profile release   (default) what is published: fat LTO, minutes
//   --profile fast      what tests and the demo need; an up-to-date release build is taken as it is
//   --programs          the demo and the bench too, into target/programs
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, extname, join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import ts from 'typescript'
import { root, run, tool } from './command.ts'
import { Refusal } from './refusal.ts'
import { needToolchain } from './toolchain.ts'

type Profile = 'release' | 'fast'
interface Stamp {
  native?: { hash: string; profile: Profile }
  package?: string
  programs?: string
}

const STAMP = join(root, 'target', 'npm-build.json')

const { values } = parseArgs({ options: { profile: { type: 'string', default: 'release' }, programs: { type: 'boolean', default: false } } })
if (values.profile !== 'release' && values.profile !== 'fast') throw new Refusal('--profile is release or fast')

const stamp = readStamp()
if (await buildNative(values.profile)) writeStamp()
if (await buildPackage()) writeStamp()
if (values.programs && (await buildPrograms())) writeStamp()

async function buildNative(profile: Profile): Promise<boolean> {
  const hash = hashOf(['Cargo.toml', 'Cargo.lock', 'crates'], ['.rs', '.toml', '.lock', '.c', '.h'], ['tests', 'benches', 'target', 'fuzz-targets'])
  const current = stamp.native?.hash === hash && binaryExists() && existsSync(join(root, 'native.d.ts'))
  if (current && (stamp.native?.profile === profile || profile === 'fast')) return false
  await needToolchain()
  // The macros write the type definitions while they compile; a crate that cargo compiled without us in between has written none.
  rmSync(join(root, 'target', 'napi-rs'), { recursive: true, force: true })
  const { exitCode } = await run(
    process.execPath,
    [
      tool('@napi-rs/cli', 'napi'),
      'build',
      '--platform',
      '--no-js',
      '--dts',
      'native.d.ts',
      '--manifest-path',
      'crates/binding/Cargo.toml',
      '--output-dir',
      '.',
      '--profile',
      profile,
      '--',
      '--locked',
    ],
    'show',
  )
  if (exitCode !== 0) throw new Refusal('the native binding does not build')
  stamp.native = { hash, profile }
  return true
}

async function buildPackage(): Promise<boolean> {
  const hash = hashOf(['src', 'native.d.ts', 'scripts/build.ts', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'], ['.ts', '.json'], [])
  const dist = join(root, 'dist')
  if (stamp.package === hash && existsSync(join(dist, 'index.js'))) return false
  await compile('tsconfig.build.json', dist)
  writeCommonJs(dist)
  stamp.package = hash
  return true
}

/**
 * The same sources as CommonJS, for what cannot `require` an ES module: Jest, and bundlers and runners that ask for the condition `require`. In one
 * process with the ES modules they are another copy of the package, and copies work on the same stores.
 */
function writeCommonJs(dist: string): void {
  const into = join(dist, 'cjs')
  for (const file of filesBelow(dist, ['cjs'])) {
    const target = join(into, relative(dist, file))
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, extname(file) === '.js' ? commonJs(readFileSync(file, 'utf8')) : readFileSync(file))
  }
  writeFileSync(join(into, 'package.json'), '{ "type": "commonjs" }\n')
}

/** CommonJS has no `import.meta`; a module that asks for it has another way to know. */
function commonJs(source: string): string {
  const compilerOptions = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2023 }
  return ts.transpileModule(source.replaceAll(/import\.meta\.(?:filename|url)\b/g, 'undefined'), { compilerOptions }).outputText
}

async function buildPrograms(): Promise<boolean> {
  const hash = hashOf(['bench', 'examples', 'src', 'tsconfig.json', 'tsconfig.programs.json', 'package-lock.json'], ['.ts', '.json'], ['results'])
  const programs = join(root, 'target', 'programs')
  if (stamp.programs === hash && existsSync(programs)) return false
  await compile('tsconfig.programs.json', programs)
  stamp.programs = hash
  return true
}

async function compile(project: string, into: string): Promise<void> {
  const startedMs = Date.now()
  const { exitCode } = await run(process.execPath, [tool('typescript', 'tsc'), '-p', project], 'show')
  if (exitCode !== 0) throw new Refusal('the TypeScript sources do not compile')
  // tsc has written every file anew: what is older belongs to a source that has gone.
  for (const file of filesBelow(into)) if (statSync(file).mtimeMs < startedMs - 1000) rmSync(file)
}

function binaryExists(): boolean {
  return readdirSync(root).some((name) => name.startsWith('ledgerstone.') && name.endsWith('.node'))
}

function hashOf(paths: readonly string[], extensions: readonly string[], leftOut: readonly string[]): string {
  const hash = createHash('sha256').update(process.platform + process.arch)
  for (const path of paths) {
    for (const file of filesBelow(join(root, path), leftOut)) {
      if (extensions.includes(extname(file))) hash.update(relative(root, file)).update('\0').update(readFileSync(file)).update('\0')
    }
  }
  return hash.digest('hex')
}

function filesBelow(path: string, leftOut: readonly string[] = []): string[] {
  if (!existsSync(path)) return []
  if (!statSync(path).isDirectory()) return [path]
  const names = readdirSync(path)
    .filter((name) => !leftOut.includes(name))
    .toSorted()
  return names.flatMap((name) => filesBelow(join(path, name), leftOut))
}

function readStamp(): Stamp {
  try {
    return JSON.parse(readFileSync(STAMP, 'utf8')) as Stamp
  } catch {
    return {}
  }
}

function writeStamp(): void {
  mkdirSync(join(root, 'target'), { recursive: true })
  writeFileSync(STAMP, JSON.stringify(stamp))
}
