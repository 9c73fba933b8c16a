// The long proof: what `npm test` runs as a short sample, and what it does not run at all. Parts that need what is not there are skipped and say why.
//
//   npm run proof                       all parts
//   npm run proof -- kills node-24      those
//   npm run proof -- nodes --whole      every spec on each Node, where otherwise all but one run those that depend on it
//   npm run proof -- node-24 __test__/lifecycle/workers.spec.ts --match='two workers*'      those on one
import { parseArgs } from 'node:util'
import { avaTests } from './ava-tests.ts'
import { build } from './build-first.ts'
import { cargoTests, type CargoTests } from './cargo-tests.ts'
import { run } from './command.ts'
import { close, fails, type Outcome, passes, step, sum } from './outcome.ts'
import { NODES, onNode, type NodeMajor } from './proof/nodes.ts'
import { inFolderWithSpace } from './proof/space.ts'
import { withTools } from './proof/tools.ts'
import { Refusal } from './refusal.ts'
import { setSeedBase } from './seed-base.ts'

interface Part {
  readonly title: string
  readonly run: () => Promise<Outcome>
}

const {
  values: { whole, match },
  positionals,
} = parseArgs({ allowPositionals: true, options: { whole: { type: 'boolean', default: false }, match: { type: 'string' } } })
const isSpec = (argument: string): boolean => argument.startsWith('__test__/')
const specArguments = [...positionals.filter(isSpec), ...(match === undefined ? [] : [`--match=${match}`])]
const onNodes = specArguments.length > 0 ? specArguments : whole ? 'whole' : 'sample'

const CANONICAL_STORE = ['-p', 'ledgerstone-canonical-store'] as const

const parts: Readonly<Record<string, Part>> = {
  lives: crates('5,000 known and 10,000 fresh lives of the whole store on a simulated disk, 200 and 200 on LMDB', {
    select: [...CANONICAL_STORE, '--test', 'simulation'],
    env: { LEDGERSTONE_SEEDS: '5000', LEDGERSTONE_FRESH: '10000', LEDGERSTONE_LMDB_SEEDS: '200', LEDGERSTONE_LMDB_FRESH: '200' },
  }),
  'power-cuts': crates('power cuts of the event log, of the journal and of snapshot sets', {
    select: [
      '-p',
      'ledgerstone-event-log',
      '-p',
      'ledgerstone-journal',
      '-p',
      'ledgerstone-snapshot-set',
      '--test',
      'power_cut',
      '--test',
      'trim_power',
      '--test',
      'journal',
    ],
    env: { LEDGERSTONE_SEEDS: '300', LEDGERSTONE_FRESH: '600' },
  }),
  'backup-cuts': crates('power cuts at every operation of backups and restores', {
    select: [...CANONICAL_STORE, '--test', 'store'],
    filter: ['backup::power_cut'],
    env: { LEDGERSTONE_SEEDS: '30', LEDGERSTONE_FRESH: '60' },
  }),
  models: crates('the store against its model, ten times as many cases', {
    select: [...CANONICAL_STORE, '--test', 'store'],
    filter: ['model::'],
    env: { LEDGERSTONE_CASES: '1280' },
  }),
  loom: crates("every interleaving of the journal's wake-ups", {
    select: ['-p', 'ledgerstone-journal', '--lib', '--target-dir', 'target/loom'],
    filter: ['loom'],
    env: { RUSTFLAGS: '--cfg loom' },
  }),
  kills: specs('300 kills', 'crash/kill', { LEDGERSTONE_KILLS: '300' }),
  'snapshot-kills': specs('300 kills of a process that changes a snapshot set', 'snapshot-set/kill', { LEDGERSTONE_SNAPSHOT_KILLS: '300' }),
  'backup-kills': specs('300 kills of processes that back up and restore', 'crash/backup-kill', { LEDGERSTONE_BACKUP_KILLS: '300' }),
  mutations: specs('2,000 damaged stores', 'crash/damage', { LEDGERSTONE_MUTATIONS: '2000' }),
  workers: specs('20 rounds of workers that are terminated', 'lifecycle/workers', { LEDGERSTONE_WORKER_ROUNDS: '20' }),
  memory: specs('a million commits, twice', 'lifecycle/memory', { LEDGERSTONE_COMMITS: '1000000' }),
  torture: { title: 'a minute of torture', run: torture },
  ...Object.fromEntries(
    Object.keys(NODES).map((major) => [`node-${major}`, { title: `the package's tests on Node ${major}`, run: () => onNode(Number(major) as NodeMajor, onNodes) }]),
  ),
  space: { title: 'the commands of the README in a folder named "sp äce"', run: inFolderWithSpace },
  tools: { title: 'bundlers and test runners', run: withTools },
}

const selected = positionals.filter((argument) => !isSpec(argument)).flatMap((name) => (name === 'nodes' ? Object.keys(NODES).map((major) => `node-${major}`) : [name]))
const unknown = selected.filter((name) => !(name in parts))
if (unknown.length > 0) throw new Refusal(`no such part: ${unknown.join(', ')}; there are nodes, ${Object.keys(parts).join(', ')}`)

const startedMs = performance.now()
await setSeedBase()
const outcomes = [await build()]
for (const [name, part] of Object.entries(parts)) {
  if (selected.length > 0 && !selected.includes(name)) continue
  outcomes.push(await step(`${name}: ${part.title}`, `npm run proof -- ${name}`, part.run))
}
console.log(`\nproof: ${((performance.now() - startedMs) / 60_000).toFixed(1)} minutes`)
close('proof', sum(outcomes))

function crates(title: string, tests: CargoTests): Part {
  return { title, run: () => cargoTests(tests) }
}

function specs(title: string, name: string, env: Readonly<Record<string, string>>): Part {
  return { title, run: () => avaTests({ select: [`__test__/${name}.spec.ts`], env }) }
}

async function torture(): Promise<Outcome> {
  const { exitCode } = await run(process.execPath, ['scripts/run.mjs', 'torture', '--minutes', '1'], 'show')
  return exitCode === 0 ? passes(1) : fails('torture', 'npm run torture -- --seed (the seed is above)')
}
