// Measures this package against its peers. Contestants take turns (A, B, C, A, B, C, …), each round in a process of its own, so that what the
// machine does meanwhile falls on all of them; what is claimed is the median ratio, with its spread.
//
//   npm run bench -- [--only NAME]… [--quick] [--json] [--scales N,N,…]
//
// `--scales` are the sizes that the probe `scale` looks at, 10,000 to 10,000,000 when nothing is said.
import { execFileSync, fork } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Answer, Order, Probe } from './child.ts'
import { Report, nameOf } from './report.ts'
import type { Contestant, Dataset, Heat, Size, Workload } from './workload.ts'

const MODERN_NODE = '24.21.0'
const FULL = { rounds: 5, size: { records: 1_000_000, ms: 1500, scales: [10_000, 1_000_000, 10_000_000] } }
const QUICK = { rounds: 2, size: { records: 20_000, ms: 300, scales: [10_000, 100_000] } }

const here = fileURLToPath(new URL('.', import.meta.url))
const root = fileURLToPath(new URL('.', import.meta.resolve('ledgerstone/package.json')))
// Compiled or through a loader hook: its own name tells.
const extension = extname(fileURLToPath(import.meta.url))
const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    scales: { type: 'string' },
  },
})
const { rounds, size: ofMode } = values.quick ? QUICK : FULL
const size: Size = values.scales === undefined ? ofMode : { ...ofMode, scales: values.scales.split(',').map(parseScale) }
const names = (folder: string): string[] => readdirSync(join(here, folder)).map((file) => file.replace(/\.[jt]s$/, '')).toSorted()
const unknown = values.only.filter((name) => ![...names('workloads'), ...names('probes')].includes(name))
if (unknown.length > 0) throw new Error(`no such benchmark: ${unknown.join(', ')}; there are ${[...names('workloads'), ...names('probes')].join(', ')}`)
const wanted = (name: string): boolean => values.only.length === 0 || values.only.includes(name)

// On the device that the repository is on: the system's temporary folder may live in memory, where a flush costs nothing.
const scratch = join(root, '.tmp')
mkdirSync(scratch, { recursive: true })
const folder = mkdtempSync(join(scratch, 'bench-'))
const report = new Report({ quick: values.quick, rounds, size, log: values.json ? () => undefined : console.log })
try {
  for (const name of names('workloads').filter(wanted)) {
    const { workload } = (await import(`./workloads/${name}.ts`)) as { workload: Workload }
    for (const heat of workload.heats) await runHeat(name, workload, heat)
  }
  for (const name of names('probes').filter(wanted)) {
    const { probe } = (await import(`./probes/${name}.ts`)) as { probe: Probe }
    const { figures } = await inChild({ kind: 'probe', probe: name, folder: emptyFolder(name), size }, process.execPath)
    report.probe(name, probe.title, figures ?? {})
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
if (values.json) console.log(JSON.stringify(report.result(), undefined, 2))
// A selection or a quick look is no result to keep.
if (values.only.length === 0 && !values.quick) report.save(join(root, 'bench', 'results'))

async function runHeat(name: string, workload: Workload, heat: Heat): Promise<void> {
  const execPath = heat.node === 'modern' ? modernNode() : process.execPath
  if (execPath === undefined) return report.skip(name, `${heat.contestants.map(nameOf).join(', ')}: there is no Node ${MODERN_NODE} here, and npm has not fetched one`)
  let results = heat.contestants.map((contestant) => ({ contestant, rates: [] as number[], counted: {}, durability: '' }))
  for (let round = 0; round < rounds; round++) {
    for (const result of results) {
      const { contestant } = result
      const at = workload.dataset === undefined ? emptyFolder('round') : await filled(contestant, workload.dataset, execPath)
      const { measured, durability, missing } = await inChild({ kind: 'round', contestant, workload: name, folder: at, size }, execPath)
      if (missing !== undefined) {
        report.skip(name, missing)
        results = results.filter((other) => other !== result)
        continue
      }
      if (measured === undefined) throw new Error(`${nameOf(contestant)} measured nothing`)
      result.rates.push((measured.operations * 1000) / measured.ms)
      Object.assign(result, { counted: measured.counted ?? {}, durability })
    }
  }
  report.heat(name, workload, execPath === process.execPath ? process.versions.node : MODERN_NODE, results)
}

/** The folder that holds the data set of a peer; made when it is first asked for. */
async function filled(contestant: Contestant, dataset: Dataset, execPath: string): Promise<string> {
  const at = join(folder, `${contestant.peer}-${dataset}`)
  if (!existsSync(at)) {
    mkdirSync(at)
    await inChild({ kind: 'fill', contestant: { peer: contestant.peer }, dataset, folder: at, size }, execPath)
  }
  return at
}

function emptyFolder(name: string): string {
  const at = join(folder, name)
  rmSync(at, { recursive: true, force: true })
  mkdirSync(at)
  return at
}

function inChild(order: Order, execPath: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const child = fork(join(here, `child${extension}`), [JSON.stringify(order)], { execPath, execArgv: [...process.execArgv, '--expose-gc'] })
    let answer: Answer | undefined
    child.on('message', (message: Answer) => (answer = message))
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      if (answer !== undefined && code === 0) resolve(answer)
      else reject(new Error(`${JSON.stringify(order)} ended with ${signal ?? code}`))
    })
  })
}

/** This Node when it is recent enough, else one from the npm registry; nothing when there is no way to it. */
function modernNode(): string | undefined {
  if (Number(process.versions.node.split('.')[0]) >= 22) return process.execPath
  const platform = process.platform === 'win32' ? 'win' : process.platform
  const from = ['--yes', '--package', `node-${platform}-${process.arch}@${MODERN_NODE}`, '--', 'node', '-p', 'process.execPath']
  try {
    return execFileSync('npx', from, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return undefined
  }
}

function parseScale(text: string): number {
  const scale = Number(text)
  if (!Number.isSafeInteger(scale) || scale < 1) throw new Error(`--scales: ${text} is no count of records`)
  return scale
}
