// Bundlers: an application that uses every entry of the package, bundled to ES modules and to CommonJS, with the package left outside and inside. What cannot
// work, a bundle without the native code, has to say so and what helps; and what it says has to help.
import { cpSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { run } from '../../command.ts'
import { fails, type Outcome, passes, sum } from '../../outcome.ts'
import type { Tool, ToolName } from './installation.ts'

type Format = 'es' | 'cjs'
type Place = 'outside' | 'inside'
interface Bundling {
  readonly format: Format
  readonly place: Place
  readonly out: string
}
/** Node's arguments that run the tool in the application's folder; its configuration is written there. */
type Command = (tool: Tool, bundling: Bundling) => readonly string[]

const AGAIN = 'npm run proof -- tools'
const WORKS = /^works 1 2$/m
const MISSING = /^ERR_NATIVE_MISSING bundled .*; mark `ledgerstone` as external/m
const LIMIT_MS = 60_000
const APPLICATION = `
import { open } from 'ledgerstone'
import { EventLog } from 'ledgerstone/event-log'
import { LockManager } from 'ledgerstone/locks'
import { listDelta, WriteCoordinator } from 'ledgerstone/coordinator'
import { FileSnapshotSet } from 'ledgerstone/snapshots'

async function main() {
  const folder = process.argv[2]
  const store = await open(folder + '/store')
  await store.state.put('a', 1)
  const log = await EventLog.open(folder + '/log')
  log.appendBatchWithIds(log.nextEventId, [Buffer.from('a')])
  const guard = await new LockManager().acquire({ write: ['a'] })
  guard.release()
  const coordinator = new WriteCoordinator({ init: listDelta(), context: undefined, snapshot: [], flusher: { flushDelta: async (items) => items, flushStorage: async () => {} } })
  await coordinator.tryWrite('a').wait()
  await coordinator.close()
  await (await FileSnapshotSet.open(folder + '/set')).close()
  console.log('works', store.state.get('a'), log.nextEventId)
  await log.close()
  await store.close()
}
main().catch((error) => console.log(error.code, error.reason, error.message))
`

const COMMANDS: Partial<Record<ToolName, Command>> = {
  esbuild: (tool, { format, place, out }) => [
    tool.file('esbuild/bin/esbuild'),
    'main.js',
    '--bundle',
    '--platform=node',
    '--log-level=error',
    `--format=${format === 'es' ? 'esm' : 'cjs'}`,
    `--outfile=${join(out, nameOf(format))}`,
    ...(place === 'outside' ? ['--external:ledgerstone'] : []),
  ],
  rollup: (tool, { format, place, out }) => {
    const plugin = JSON.stringify(pathToFileURL(tool.file('@rollup/plugin-node-resolve/dist/es/index.js')).href)
    writeFileSync(
      join(tool.application.folder, 'rollup.config.js'),
      `
import { nodeResolve } from ${plugin}
export default {
  input: 'main.js',
  output: { file: ${JSON.stringify(join(out, nameOf(format)))}, format: '${format}' },
  external: ${place === 'outside' ? '[/^ledgerstone(\\/|$)/]' : '[]'},
  plugins: [nodeResolve()],
}
`,
    )
    return [tool.file('rollup/dist/bin/rollup'), '-c', '--silent']
  },
  vite: (tool, { format, place, out }) => {
    writeFileSync(
      join(tool.application.folder, 'vite.config.js'),
      `
export default {
  ssr: { ${place === 'inside' ? 'noExternal: true' : ''} },
  build: {
    ssr: 'main.js',
    outDir: ${JSON.stringify(out)},
    emptyOutDir: false,
    rolldownOptions: { output: { format: '${format}', entryFileNames: '${nameOf(format)}' } },
  },
}
`,
    )
    return [tool.file('vite/bin/vite.js'), 'build', '--logLevel', 'error']
  },
  webpack: (tool, { format, place, out }) => {
    const file = join(tool.application.folder, 'bundle.cjs')
    const esm = format === 'es'
    writeFileSync(
      file,
      `
require(${JSON.stringify(tool.file('webpack'))})({
  mode: 'production',
  target: 'node20',
  entry: './main.js',
  output: { path: ${JSON.stringify(out)}, filename: '${nameOf(format)}', module: ${esm}, chunkFormat: '${esm ? 'module' : 'commonjs'}' },
  experiments: { outputModule: ${esm} },
  externalsType: '${esm ? 'module' : 'commonjs'}',
  externals: ${place === 'outside' ? '[/^ledgerstone(\\/|$)/]' : '[]'},
}, (error, stats) => {
  if (error ?? stats.hasErrors()) throw error ?? new Error(stats.toString())
})
`,
    )
    return [file]
  },
}

export async function bundles(name: ToolName, tool: Tool): Promise<Outcome> {
  const command = COMMANDS[name]
  if (command === undefined) return fails(`${name} is no bundler`, AGAIN)
  writeFileSync(join(tool.application.folder, 'main.js'), APPLICATION)
  const outcomes: Outcome[] = []
  for (const format of ['es', 'cjs'] as const) for (const place of ['outside', 'inside'] as const) outcomes.push(await bundle(tool, command, format, place))
  return sum(outcomes)
}

/** One bundle, where it was built and, when the package is inside, alone in a folder elsewhere: with no native code, and with what the error says helps. */
async function bundle(tool: Tool, command: Command, format: Format, place: Place): Promise<Outcome> {
  const { folder, modules, binary } = tool.application
  const claim = (what: string, expected: RegExp, said: string): Outcome => {
    const title = `${tool.title}, ${format}, package ${place}: ${what}`
    const holds = expected.test(said)
    console.log(`${holds ? 'ok    ' : 'FAILED'} ${title}`)
    return holds ? passes(1) : fails(`${title}: ${said.trim().slice(0, 600)}`, AGAIN)
  }
  const out = join(folder, 'out')
  rmSync(out, { recursive: true, force: true })
  const built = await run(process.execPath, command(tool, { format, place, out }), 'keep', { cwd: folder, limitMs: LIMIT_MS })
  if (built.exitCode !== 0) return claim('builds', /^$/, built.output || `ended with ${built.exitCode}`)
  const outcomes = [claim('works', WORKS, await start(join(out, nameOf(format))))]
  if (place === 'outside') return sum(outcomes)

  const elsewhere = mkdtempSync(join(tmpdir(), 'ledgerstone-bundle-'))
  const away = `${modules}-away`
  try {
    cpSync(out, elsewhere, { recursive: true })
    renameSync(modules, away)
    const moved = join(elsewhere, nameOf(format))
    const native = join(away, relative(modules, binary))
    outcomes.push(claim('without native code says what helps', MISSING, await start(moved)))
    outcomes.push(claim('works with the binary named', WORKS, await start(moved, { NAPI_RS_NATIVE_LIBRARY_PATH: native })))
    cpSync(native, join(elsewhere, basename(native)))
    outcomes.push(claim('works with the binary beside it', WORKS, await start(moved)))
  } finally {
    renameSync(away, modules)
    rmSync(elsewhere, { recursive: true, force: true })
  }
  return sum(outcomes)
}

/** What the application prints, with separate stores. */
async function start(file: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const stores = mkdtempSync(join(tmpdir(), 'ledgerstone-stores-'))
  try {
    return (await run(process.execPath, [file, stores], 'keep', { cwd: dirname(file), env, limitMs: LIMIT_MS })).output
  } finally {
    rmSync(stores, { recursive: true, force: true })
  }
}

function nameOf(format: Format): string {
  return format === 'es' ? 'main.mjs' : 'main.cjs'
}
