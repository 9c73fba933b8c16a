// The package's tests on every Node that is supported, each a program from the npm registry that is put beside the checkout, in target/nodes.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { avaTests } from '../ava-tests.ts'
import { root, run } from '../command.ts'
import { type Outcome, skips } from '../outcome.ts'

export const NODES = { 20: '20.19.6', 22: '22.23.3', 24: '24.21.0', 26: '26.10.0' } as const
export type NodeMajor = keyof typeof NODES

/** The newest, and the farthest from the one that `npm test` mostly runs on, runs all specs. */
const WHOLE: NodeMajor = 26
/** What depends on the Node: its threads, its endings, its memory, its modules, what it writes to stderr. The rest is the engine's, or the language's. */
const SAMPLE = [
  '__test__/{binding,codecs,errors,examples,internal,lifecycle,lock-manager,write-coordinator}/*.spec.ts',
  '__test__/canonical-store/{follow,pause,preflight,seal,snapshot,turns,waiting}*.spec.ts',
  '__test__/counted/{allocation,native-calls}.spec.ts',
  '__test__/{event-log,snapshot-set}/owners.spec.ts',
  '__test__/tidy.spec.ts',
]

/** `whole` runs every spec, `sample` those that depend on the Node, except on one; else arguments for ava select them. */
export async function onNode(major: NodeMajor, specs: 'whole' | 'sample' | readonly string[]): Promise<Outcome> {
  const version = NODES[major]
  const node = await install(version)
  if (typeof node !== 'string') return skips(`Node ${version}: ${node.missing}`)
  const select = selection(major, specs)
  console.log(`Node ${version}: ${select.length === 0 ? 'all specs' : select.join(' ')}`)
  return avaTests({ select, node, command: `npm run proof -- node-${major}` })
}

function selection(major: NodeMajor, specs: 'whole' | 'sample' | readonly string[]): readonly string[] {
  if (typeof specs !== 'string') return specs
  return specs === 'whole' || major === WHOLE ? [] : SAMPLE
}

/** The path of Node's program. */
async function install(version: string): Promise<string | { missing: string }> {
  const platform = process.platform === 'win32' ? 'win' : process.platform
  const name = `node-${platform}-${process.arch}`
  const folder = join('target', 'nodes', version)
  const program = join(root, folder, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  if (!existsSync(program)) {
    const args = ['install', '--no-save', '--no-package-lock', '--ignore-scripts', '--prefix', folder, `${name}@${version}`]
    const { exitCode, output } = await run('npm', args, 'keep').catch((error: unknown) => ({ exitCode: 1, output: String(error) }))
    if (exitCode !== 0 || !existsSync(program)) return { missing: `npm cannot install ${name}@${version}: ${output.trim().split('\n').at(0)}` }
  }
  const { exitCode, output } = await run(program, ['--version'], 'keep').catch((error: unknown) => ({ exitCode: 1, output: String(error) }))
  return exitCode === 0 && output.trim() === `v${version}` ? program : { missing: `${program} does not run here: ${output.trim()}` }
}
