// Test runners: three files, each with a store. The runner evaluates the package once for each file, in one thread or in many, in contexts of `node:vm` or in
// none. A file counts when its test has come to its end.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../../command.ts'
import { fails, type Outcome, passes, sum } from '../../outcome.ts'
import type { Tool, ToolName } from './installation.ts'

/** How the package comes into a file, what makes `test` known, how the second file fakes the timers, what the runner wants besides. */
interface Syntax {
  readonly modules: 'es' | 'cjs'
  readonly test: string
  readonly fake?: string
  readonly parameters?: string
  readonly end?: string
}
interface Mode {
  readonly title: string
  readonly syntax: Syntax
  readonly args: (tool: Tool) => readonly string[]
}

const FILES = [1, 2, 3] as const
const LIMIT_MS = 60_000
const AGAIN = 'npm run proof -- tools'
const VITEST: Syntax = { modules: 'es', test: "import { test, vi } from 'vitest'", fake: 'vi.useFakeTimers()' }
const AVA: Syntax = { modules: 'es', test: "import test from 'ava'", parameters: 't', end: 't.pass()' }

const MODES: Partial<Record<ToolName, readonly Mode[]>> = {
  jest: [jest('CommonJS', 'cjs', []), jest('ES modules', 'es', ['--experimental-vm-modules'])],
  vitest: [
    ...['threads', 'forks', 'vmThreads', 'vmForks'].map((pool) => vitest(`pool ${pool}`, [`--pool=${pool}`])),
    vitest('files share their modules', ['--pool=threads', '--no-isolate']),
  ],
  ava: [
    { title: 'threads', syntax: AVA, args: (tool) => [tool.file('ava/entrypoints/cli.mjs')] },
    { title: 'processes', syntax: AVA, args: (tool) => [tool.file('ava/entrypoints/cli.mjs'), '--no-worker-threads'] },
  ],
  'node:test': [
    { title: 'ES modules', syntax: { modules: 'es', test: "import test from 'node:test'" }, args: () => ['--test', ...FILES.map((n) => nameOf('es', n))] },
    { title: 'CommonJS', syntax: { modules: 'cjs', test: "const test = require('node:test')" }, args: () => ['--test', ...FILES.map((n) => nameOf('cjs', n))] },
  ],
}

export async function testsRun(name: ToolName, tool: Tool): Promise<Outcome> {
  const outcomes: Outcome[] = []
  for (const mode of MODES[name] ?? []) outcomes.push(await inMode(tool, mode))
  return outcomes.length === 0 ? fails(`${name} is no test runner`, AGAIN) : sum(outcomes)
}

async function inMode(tool: Tool, { title, syntax, args }: Mode): Promise<Outcome> {
  const { folder } = tool.application
  const stores = mkdtempSync(join(tmpdir(), 'ledgerstone-stores-'))
  const what = `${tool.title}, ${title}: three files with a store each`
  const files = FILES.map((n) => join(folder, nameOf(syntax.modules, n)))
  try {
    // Otherwise ava takes that of this repository.
    writeFileSync(join(folder, 'ava.config.js'), `export default { files: ['*.test.?js'] }`)
    for (const [i, file] of files.entries()) writeFileSync(file, testFile(syntax, i + 1))
    const { exitCode, output } = await run(process.execPath, args(tool), 'keep', { cwd: folder, env: { STORES: stores }, limitMs: LIMIT_MS })
    const ended = FILES.filter((n) => existsSync(join(stores, `ended-${n}`)))
    const holds = exitCode === 0 && ended.length === FILES.length
    console.log(`${holds ? 'ok    ' : 'FAILED'} ${what}`)
    return holds ? passes(1) : fails(`${what}: ended with ${exitCode}, tests that came to their end: ${ended.join(', ') || 'none'}\n${output.trim().slice(-1500)}`, AGAIN)
  } finally {
    rmSync(stores, { recursive: true, force: true })
    for (const file of files) rmSync(file, { force: true })
  }
}

function testFile({ modules, test, fake = '', parameters = '', end = '' }: Syntax, n: number): string {
  const from = (names: string, module: string): string => (modules === 'es' ? `import { ${names} } from '${module}'` : `const { ${names} } = require('${module}')`)
  return `
${test}
${from('deepEqual, equal', 'node:assert/strict')}
${from('writeFileSync', 'node:fs')}
${from('open, LedgerstoneError', 'ledgerstone')}
${from('LockManager', 'ledgerstone/locks')}

test('store ${n}', async (${parameters}) => {
  ${n === 2 ? fake : ''}
  const store = await open(process.env.STORES + '/${n}')
  await store.state.put('a', { n: ${n} })
  deepEqual({ ...store.state.get('a') }, { n: ${n} })
  await store.append({ n: ${n} })
  for await (const { id } of store.follow({ after: 0 })) {
    equal(id, 1)
    break
  }
  const guard = await new LockManager().acquire({ write: ['a'] })
  guard.release()
  const error = await store.transact(() => { throw new Error('mine') }).catch((error) => error)
  equal(error instanceof LedgerstoneError, false)
  await store.close()
  writeFileSync(process.env.STORES + '/ended-${n}', '')
  ${end}
})
`
}

function nameOf(modules: 'es' | 'cjs', n: number): string {
  return `store-${n}.test.${modules === 'es' ? 'mjs' : 'cjs'}`
}

/** In one process: each file gets its own modules there. */
function jest(title: string, modules: 'es' | 'cjs', flags: readonly string[]): Mode {
  const config = JSON.stringify({ testMatch: ['**/*.test.?js'], transform: {}, testEnvironment: 'node' })
  return {
    title,
    syntax: { modules, test: '', fake: `${modules === 'es' ? 'import.meta.' : ''}jest.useFakeTimers()` },
    args: (tool) => [...flags, tool.file('jest/bin/jest.js'), '--runInBand', '--no-cache', `--config=${config}`],
  }
}

function vitest(title: string, options: readonly string[]): Mode {
  return { title, syntax: VITEST, args: (tool) => [tool.file('vitest/vitest.mjs'), 'run', '--no-file-parallelism', ...options] }
}
