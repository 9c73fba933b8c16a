// What compiling the crates needs of the machine: cargo, new enough, and a C compiler, which also links. Looked for before the first compilation, since
// their own messages are long and do not say how to get them.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, run, type CommandResult } from './command.ts'
import { Refusal } from './refusal.ts'

const GET_RUST = 'get it from https://rustup.rs'
const GET_CC = 'install one (Debian and Ubuntu: `apt install build-essential`; Fedora: `dnf install gcc`; Alpine: `apk add build-base`; macOS: `xcode-select --install`)'

/** Rejects with a {@link Refusal} that says what is missing and how to get it. */
export async function needToolchain(): Promise<void> {
  await needCargo()
  await needCompiler()
}

async function needCargo(): Promise<void> {
  const least = leastRust()
  const told = await versionOf('cargo')
  if (told === undefined) throw new Refusal(`cargo is not installed, or not in PATH: Rust ${least} or later is needed, ${GET_RUST}`)
  const found = /^cargo (\d+)\.(\d+)/m.exec(told.output)
  if (told.exitCode !== 0 || found === null)
    throw new Refusal(`cargo does not run: ${told.output.trim().split('\n').at(0) ?? ''}; Rust ${least} or later is needed, ${GET_RUST}`)
  const [major = 0, minor = 0] = least.split('.').map(Number)
  const [, foundMajor, foundMinor] = found.map(Number) as [number, number, number]
  if (foundMajor < major || (foundMajor === major && foundMinor < minor)) {
    throw new Refusal(`cargo ${foundMajor}.${foundMinor} is too old: Rust ${least} or later is needed, run \`rustup update stable\` or ${GET_RUST}`)
  }
}

/** LMDB is C, and rustc links with the same program. On Windows Visual Studio's compiler is not in PATH. A compiler that the environment names is taken as it is. */
async function needCompiler(): Promise<void> {
  const isNamed = Object.keys(process.env).some((name) => /^((HOST|TARGET)_)?CC(_|$)/.test(name))
  if (process.platform === 'win32' || isNamed || (await versionOf('cc')) !== undefined) return
  throw new Refusal(`there is no C compiler and linker (\`cc\`) in PATH: ${GET_CC}`)
}

/** libFuzzer is C++. */
export async function needCxx(): Promise<void> {
  const isNamed = Object.keys(process.env).some((name) => /^((HOST|TARGET)_)?CXX(_|$)/.test(name))
  if (process.platform === 'win32') throw new Refusal('libFuzzer is run on Linux and macOS alone')
  if (!isNamed && (await versionOf('c++')) === undefined)
    throw new Refusal(`there is no C++ compiler (\`c++\`) in PATH: ${GET_CC.replace('dnf install gcc', 'dnf install gcc-c++')}`)
}

/** What a program says about itself; nothing when there is no such program. */
async function versionOf(program: string): Promise<CommandResult | undefined> {
  try {
    return await run(program, ['--version'], 'keep')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function leastRust(): string {
  return /^rust-version = "(.+)"$/m.exec(readFileSync(join(root, 'Cargo.toml'), 'utf8'))?.[1] ?? ''
}
