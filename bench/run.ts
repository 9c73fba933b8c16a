// Measures this package against its peers; what is claimed is the median ratio, with its spread.
//
//   npm run bench -- [--only NAME]… [--quick] [--json] [--rounds N] [--scales N,N,…]
//   npm run bench -- --draw bench/results/DATE.json
//
// A full run keeps its result in bench/results and draws it, charts and the tables of README.md and docs/BENCH.md, when the floor was steady; `--draw` does
// that with a result that was kept. `--scales` are the sizes that the probe `scale` looks at, 10,000 to 10,000,000 when nothing is said.
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Probe } from './child.ts'
import { inChild, thisNode } from './children.ts'
import { emptyFolder, runHeat, type Course } from './heat.ts'
import { draw, keep, kept } from './keeping.ts'
import { Report } from './report.ts'
import { summaryOf } from './summary.ts'
import { probeVerdictOf } from './verdict.ts'
import type { Size, Workload } from './workload.ts'

const FULL = { rounds: 5, size: { records: 1_000_000, ms: 1500, scales: [10_000, 100_000, 1_000_000, 10_000_000] } }
const QUICK = { rounds: 1, size: { records: 20_000, ms: 50, scales: [10_000, 100_000] } }
/** Part of every run, and the first of it. */
const FLOOR = 'floor'

const here = fileURLToPath(new URL('.', import.meta.url))
const root = fileURLToPath(new URL('.', import.meta.resolve('ledgerstone/package.json')))
const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    scales: { type: 'string' },
    draw: { type: 'string' },
  },
})
if (values.draw !== undefined) {
  draw(root, kept(values.draw))
  process.exit()
}
const mode = values.quick ? QUICK : FULL
const rounds = values.rounds === undefined ? mode.rounds : parseCount('--rounds', values.rounds)
const size: Size = values.scales === undefined ? mode.size : { ...mode.size, scales: values.scales.split(',').map((text) => parseCount('--scales', text)) }
const names = (folder: string): string[] =>
  readdirSync(join(here, folder))
    .map((file) => file.replace(/\.[jt]s$/, ''))
    .toSorted()
const unknown = values.only.filter((name) => ![...names('workloads'), ...names('probes')].includes(name))
if (unknown.length > 0) throw new Error(`no such benchmark: ${unknown.join(', ')}; there are ${[...names('workloads'), ...names('probes')].join(', ')}`)
const wanted = (name: string): boolean => values.only.length === 0 || values.only.includes(name)

// On the device that the repository is on: the system's temporary folder may live in memory, where a flush costs nothing.
const scratch = join(root, '.tmp')
mkdirSync(scratch, { recursive: true })
const course: Course = { folder: mkdtempSync(join(scratch, 'bench-')), rounds, size, quick: values.quick }
const report = new Report({ quick: values.quick, rounds, size, log: values.json ? () => undefined : console.log })
try {
  for (const name of [FLOOR, ...names('workloads').filter((name) => name !== FLOOR && wanted(name))]) {
    const { workload } = (await import(`./workloads/${name}.ts`)) as { workload: Workload }
    for (const heat of workload.heats) {
      const result = await runHeat(course, name, workload, heat)
      if (typeof result === 'string') report.skip(name, result)
      else report.heat(result)
    }
  }
  for (const name of names('probes').filter(wanted)) {
    const { probe } = (await import(`./probes/${name}.ts`)) as { probe: Probe }
    const startedMs = performance.now()
    const { figures } = await inChild({ kind: 'probe', probe: name, folder: emptyFolder(course, name), size }, thisNode)
    if (figures === undefined) throw new Error(`${name} measured nothing`)
    const verdicts = (probe.targets ?? []).flatMap((target) => probeVerdictOf(target, figures) ?? [])
    report.probe({ name, title: probe.title, seconds: (performance.now() - startedMs) / 1000, figures, verdicts })
  }
} finally {
  rmSync(course.folder, { recursive: true, force: true })
}
const result = report.result()
if (values.json) console.log(JSON.stringify(result, undefined, 2))
else for (const line of summaryOf(result)) console.log(line)
// A selection or a quick look is no result to keep, and a machine that was busy with other work is nothing to show.
if (values.only.length === 0 && !values.quick) {
  const path = keep(root, result)
  if (result.isSteady) draw(root, result)
  console.warn(`\nkept in ${path}, ${result.isSteady ? 'and drawn' : 'and not drawn: the floor was not steady'}`)
}

function parseCount(option: string, text: string): number {
  const count = Number(text)
  if (!Number.isSafeInteger(count) || count < 1) throw new Error(`${option}: ${text} is no count`)
  return count
}
