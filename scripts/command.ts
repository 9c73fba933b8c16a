// Runs one program of the repository's tool box, the same way on every platform.
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Refusal } from './refusal.ts'

export const root: string = fileURLToPath(new URL('..', import.meta.url))

export interface CommandResult {
  readonly exitCode: number
  /** What the program printed, both streams; empty unless it was asked for. */
  readonly output: string
}

/** `show`: the output goes straight to the terminal. `tee`: that, and it is kept. `keep`: kept only. */
export type Output = 'show' | 'tee' | 'keep'

/** Where a program runs (the repository's root), what is changed in its environment, and after how many milliseconds it is killed (never). */
export interface Surroundings {
  readonly cwd?: string
  readonly env?: Readonly<NodeJS.ProcessEnv>
  readonly limitMs?: number
}

export function run(program: string, args: readonly string[], output: Output, { cwd = root, env = {}, limitMs = 0 }: Surroundings = {}): Promise<CommandResult> {
  const stdio = output === 'show' ? 'inherit' : 'pipe'
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      stdio: ['ignore', stdio, stdio],
      env: { ...process.env, ...colour(output), ...env },
      timeout: limitMs,
      killSignal: 'SIGKILL',
    })
    const chunks: Buffer[] = []
    const take = (to: NodeJS.WriteStream) => (chunk: Buffer) => {
      chunks.push(chunk)
      if (output === 'tee') to.write(chunk)
    }
    child.stdout?.on('data', take(process.stdout))
    child.stderr?.on('data', take(process.stderr))
    child.once('error', reject)
    child.once('close', (code) => resolve({ exitCode: code ?? 1, output: Buffer.concat(chunks).toString() }))
  })
}

/** The program file of a development dependency, to be run by this very Node. */
export function tool(packageName: string, bin: string): string {
  const require = createRequire(import.meta.url)
  const manifest = require.resolve.paths(packageName)?.map((folder) => join(folder, packageName, 'package.json')) ?? []
  for (const file of manifest) {
    const found = read(require, file)
    const program = typeof found?.bin === 'string' ? found.bin : found?.bin?.[bin]
    if (program !== undefined) return join(dirname(file), program)
  }
  throw new Refusal(`${packageName} is not installed: run \`npm ci\` first`)
}

function read(require: NodeJS.Require, file: string): { bin?: string | Record<string, string> } | undefined {
  try {
    return require(file) as { bin?: string | Record<string, string> }
  } catch {
    return undefined
  }
}

function colour(output: Output): NodeJS.ProcessEnv {
  return output === 'tee' && process.stdout.isTTY ? { FORCE_COLOR: '1', CARGO_TERM_COLOR: 'always' } : {}
}
