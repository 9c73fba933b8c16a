// Next.js: a route that is rendered when the application is built runs in the server's bundle, so that no server has to be started.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { run } from '../../command.ts'
import { fails, type Outcome, passes, sum } from '../../outcome.ts'
import type { Tool, ToolName } from './installation.ts'

const LIMIT_MS = 120_000
const AGAIN = 'npm run proof -- tools'
const LAYOUT = 'export default function Layout({ children }) { return <html><body>{children}</body></html> }\n'
const ROUTE = `
import { open } from 'ledgerstone'

export const dynamic = 'force-static'
export async function GET() {
  const said = await use().catch((error) => error.code + ' ' + error.reason)
  console.log('route: ' + said)
  return new Response(said)
}
async function use() {
  const store = await open(process.env.STORES + '/store')
  await store.state.put('a', 1)
  const value = store.state.get('a')
  await store.close()
  return 'works ' + value
}
`

export async function nextRuns(_: ToolName, tool: Tool): Promise<Outcome> {
  const { folder } = tool.application
  mkdirSync(join(folder, 'app', 'route'), { recursive: true })
  writeFileSync(join(folder, 'app', 'layout.js'), LAYOUT)
  writeFileSync(join(folder, 'app', 'route', 'route.js'), ROUTE)
  return sum([
    await build(tool, 'package outside: works', ['ledgerstone'], 'route: works 1'),
    await build(tool, 'package inside: without native code says so', [], 'route: ERR_NATIVE_MISSING bundled'),
  ])
}

async function build(tool: Tool, what: string, serverExternalPackages: readonly string[], expected: string): Promise<Outcome> {
  const { folder } = tool.application
  // The checkout above has a lock file, too, and Next.js would take it for the application's.
  const config = { serverExternalPackages, turbopack: { root: dirname(folder) }, outputFileTracingRoot: dirname(folder) }
  writeFileSync(join(folder, 'next.config.mjs'), `export default ${JSON.stringify(config)}\n`)
  rmSync(join(folder, '.next'), { recursive: true, force: true })
  const stores = mkdtempSync(join(tmpdir(), 'ledgerstone-stores-'))
  try {
    const env = { STORES: stores, NEXT_TELEMETRY_DISABLED: '1' }
    const { output } = await run(process.execPath, [tool.file('next/dist/bin/next'), 'build'], 'keep', { cwd: folder, env, limitMs: LIMIT_MS })
    const holds = output.includes(expected)
    console.log(`${holds ? 'ok    ' : 'FAILED'} ${tool.title}, ${what}`)
    return holds ? passes(1) : fails(`${tool.title}, ${what}: ${output.trim().slice(-1500)}`, AGAIN)
  } finally {
    rmSync(stores, { recursive: true, force: true })
  }
}
