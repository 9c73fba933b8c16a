// The benchmark runs: every workload with all contestants, and every probe, each for a moment. The figures do not matter here. It matters that no contestant is
// missing, that each did its work, and that those that claim to flush commits did flush them.
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import type { Result } from '../../bench/result.ts'
import type { Workload } from '../../bench/workload.ts'

const LIMIT_MS = 1_200_000
const root = fileURLToPath(new URL('../..', import.meta.url))
const namesIn = (folder: string): string[] => readdirSync(join(root, 'bench', folder)).map((file) => file.replace(/\.ts$/, ''))

/** Compiled, as it is run otherwise: a loader hook in a hundred processes would take longer than all of the rest. */
async function node(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, timeout: LIMIT_MS, maxBuffer: 2 ** 26 })
  return stdout
}

test('a quick look measures every workload and every probe', async (t) => {
  t.timeout(LIMIT_MS)
  await node('scripts/run.mjs', 'build', '--profile', 'fast', '--programs')
  const result = JSON.parse(await node('target/programs/bench/run.js', '--quick', '--json')) as Result
  const noLaterNode = result.skipped.filter((what) => /there is no Node \d/.test(what))
  t.deepEqual(result.skipped, noLaterNode)
  for (const what of noLaterNode) t.log(`SKIPPED ${what}`)

  t.deepEqual([...new Set(result.heats.map(({ name }) => name))].toSorted(), namesIn('workloads').toSorted())
  t.deepEqual(result.probes.map(({ name }) => name).toSorted(), namesIn('probes').toSorted())
  t.deepEqual(
    result.heats.flatMap(({ unproven }) => unproven),
    [],
  )
  for (const { title, rows } of result.heats) for (const { contestant, rate } of rows) t.true(rate.median > 0, `${contestant}: ${title}`)
})

test('every target is one of a contestant that takes part', async (t) => {
  for (const name of namesIn('workloads')) {
    const { workload } = (await import(`../../bench/workloads/${name}.ts`)) as { workload: Workload }
    for (const { contestants, targets = [] } of workload.heats) {
      const names = contestants.map(({ peer, variant }) => (variant === undefined ? peer : `${peer} (${variant})`))
      for (const { of = names[0] ?? '', against, must, aim, better } of targets) {
        t.true(names.includes(against) && names.includes(of), `${name}: ${of} / ${against}`)
        t.true(better === 'more' ? aim >= must : aim <= must, `${name}: ${against}`)
      }
    }
  }
})
