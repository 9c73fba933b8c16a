// The repository's commands explain themselves, and tell in one line what a machine lacks. Bug: without cargo, with an older one, without a C compiler or on
// an older Node the README's commands ended in an internal error of the build tool with its stack. Mechanism: nobody looked before the tools were started.
// Fix: `run.mjs` looks at Node, `toolchain.ts` at cargo and `cc`, and what a user can mend is a `Refusal`, whose message is printed alone.
import { execFile } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'

const root = fileURLToPath(new URL('../..', import.meta.url))
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string>; engines: { node: string } }
const names = Object.keys(manifest.scripts).filter((name) => name !== 'ready')

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function script(
  args: readonly string[],
  { cwd = root, env = {}, nodeArgs = [] }: { cwd?: string; env?: Record<string, string | undefined>; nodeArgs?: readonly string[] } = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [...nodeArgs, 'scripts/run.mjs', ...args], { cwd, env: { ...process.env, NODE_OPTIONS: '', ...env } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

/** A checkout in which nothing is compiled yet. */
function checkout(t: ExecutionContext): string {
  mkdirSync(join(root, '.tmp'), { recursive: true })
  const copy = mkdtempSync(join(root, '.tmp', 'checkout-'))
  t.teardown(() => rmSync(copy, { recursive: true, force: true }))
  for (const path of ['scripts', 'package.json', 'Cargo.toml', 'Cargo.lock', 'crates/binding/Cargo.toml']) cpSync(join(root, path), join(copy, path), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction')
  return copy
}

/** A PATH with nothing in it but these programs, each of which prints what it is given. */
function onlyPath(t: ExecutionContext, programs: Readonly<Record<string, string>>): Record<string, string | undefined> {
  const folder = mkdtempSync(join(root, '.tmp', 'path-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, prints] of Object.entries(programs)) {
    writeFileSync(join(folder, name), `#!/bin/sh\necho '${prints}'\n`)
    chmodSync(join(folder, name), 0o755)
  }
  const compilers = Object.keys(process.env).filter((name) => /^((HOST|TARGET)_)?CC(_|$)/.test(name))
  return { PATH: folder, ...Object.fromEntries(compilers.map((name) => [name, undefined])) }
}

function endsInOneLine(t: ExecutionContext, { code, stdout, stderr }: Ended, line: RegExp): void {
  t.is(code, 1, stderr)
  t.is(stdout, '')
  t.regex(stderr, /^[^\n]+\n$/, 'one line')
  t.regex(stderr, line)
}

test('`npm run` alone tells of each script what it does', (t) => {
  t.true(names.length >= 10)
  for (const name of names) t.regex(manifest.scripts[name] ?? '', new RegExp(`^node scripts/run\\.mjs ${name} --about "[^"]{10,}"$`))
})

test('every script has a help: the comment that it begins with', async (t) => {
  const list = await script([])
  for (const name of names) {
    const { code, stdout } = await script([name, '--about', 'what it does', '--help'])
    t.is(code, 0)
    t.true(stdout.length > 40 && !stdout.includes('import '), name)
    t.true(list.stdout.includes(`\n  ${name.padEnd(8)}  `), name)
  }
  const options = readFileSync(join(root, 'scripts', 'simulate.ts'), 'utf8').match(/(?<=^\/\/ {3})--[a-z]+/gm) ?? []
  const { stdout } = await script(['simulate', '--help'])
  t.true(options.length > 3 && options.every((option) => stdout.includes(option)))
})

test('a wrong name or option ends in words', async (t) => {
  const unknown = await script(['biuld'])
  t.is(unknown.code, 1)
  t.regex(unknown.stderr, /^biuld: there is no script `biuld`\n\nnpm run SCRIPT/)
  endsInOneLine(t, await script(['build', '--colour']), /^build: Unknown option '--colour'/)
  endsInOneLine(t, await script(['build', '--profile', 'slow']), /^build: --profile is release or fast$/m)
  endsInOneLine(t, await script(['lint', 'nothing']), /^lint: no such check: nothing; there are build, /)
  endsInOneLine(t, await script(['simulate', '--seed', 'many']), /^simulate: --seed is a whole number$/m)
})

test('a Node that is too old', async (t) => {
  mkdirSync(join(root, '.tmp'), { recursive: true })
  for (const version of ['18.20.4', '20.18.9', '21.7.3', '22.11.0']) {
    const pretend = join(mkdtempSync(join(root, '.tmp', 'node-')), 'pretend.cjs')
    t.teardown(() => rmSync(join(pretend, '..'), { recursive: true, force: true }))
    writeFileSync(pretend, `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`)
    const ended = await script(['build'], { nodeArgs: ['--require', pretend] })
    endsInOneLine(t, ended, new RegExp(`^build: Node\\.js ${version.replaceAll('.', '\\.')} is not supported: version .+ is needed, see https://nodejs\\.org`))
    t.true(ended.stderr.includes(manifest.engines.node))
  }
})

test('nothing is installed', async (t) => {
  const copy = checkout(t)
  rmSync(join(copy, 'node_modules'))
  endsInOneLine(t, await script(['build'], { cwd: copy }), /^build: the development dependencies are not installed: run `npm ci` first$/m)
})

const ofUnix = process.platform === 'win32' ? test.skip : test
const CARGO = 'cargo 1.95.0 (f2d3ce0bd 2026-03-21)'

ofUnix('no cargo', async (t) => {
  const cwd = checkout(t)
  const env = onlyPath(t, {})
  const line = /^build: cargo is not installed, or not in PATH: Rust 1\.\d+ or later is needed, get it from https:\/\/rustup\.rs$/m
  endsInOneLine(t, await script(['build'], { cwd, env }), line)
  endsInOneLine(t, await script(['demo'], { cwd, env }), line)
})

ofUnix('a cargo that is too old, or does not run', async (t) => {
  const cwd = checkout(t)
  endsInOneLine(
    t,
    await script(['build'], { cwd, env: onlyPath(t, { cargo: 'cargo 1.88.0 (873a06493 2025-05-10)' }) }),
    /^build: cargo 1\.88 is too old: Rust 1\.89 or later is needed, run `rustup update stable`/,
  )
  endsInOneLine(
    t,
    await script(['build'], { cwd, env: onlyPath(t, { cargo: 'error: no default toolchain' }) }),
    /^build: cargo does not run: error: no default toolchain; Rust 1\.89/,
  )
})

ofUnix('no linker', async (t) => {
  endsInOneLine(
    t,
    await script(['build'], { cwd: checkout(t), env: onlyPath(t, { cargo: CARGO }) }),
    /^build: there is no C compiler and linker \(`cc`\) in PATH: install one/,
  )
})

ofUnix('other commands that need cargo say the same', async (t) => {
  const cwd = checkout(t)
  const env = onlyPath(t, {})
  endsInOneLine(t, await script(['simulate', '--seed', '1'], { cwd, env }), /^simulate: cargo is not installed/)
  const lint = await script(['lint', 'rustfmt', 'clippy'], { cwd, env })
  t.is(lint.code, 1)
  t.regex(lint.stdout, /FAILED rustfmt .*\n.*cargo is not installed[^]*FAILED clippy .*\n.*cargo is not installed[^]*0 passed, 2 failed/)
  t.false(`${lint.stdout}${lint.stderr}`.includes('    at '))
})
