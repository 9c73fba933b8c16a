// Runs a heat: the contestants take turns (A, B, C, A, B, C, …), each round in its own process, so that what else the machine does falls
// on all of them. Data sets are made when they are first asked for, once for each peer, and only read.
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { inChild, modernNode, thisNode, whyNoModernNode, type NodeProgram } from './children.ts'
import { unprovenOf, type Durability } from './durability.ts'
import { nameOf, type HeatResult, type Rounds } from './result.ts'
import { rowOf, verdictOf } from './verdict.ts'
import type { Contestant, Dataset, Heat, Measured, Size, Workload } from './workload.ts'

/** Of the time of a round: what never waits for the device is steady sooner. */
const PART_FOR_READING = 2 / 3

export interface Course {
  /** Everything that a run makes is in it. */
  readonly folder: string
  readonly rounds: number
  readonly size: Size
  /** A quick look takes no more records than `size` has, whatever a heat would like. */
  readonly quick: boolean
}

/** The result, or why there is none. */
export async function runHeat(course: Course, name: string, workload: Workload, heat: Heat): Promise<HeatResult | string> {
  const node = heat.node === 'modern' ? modernNode() : thisNode
  if (node === undefined) return `${heat.contestants.map(nameOf).join(', ')}: ${whyNoModernNode}`
  const startedMs = performance.now()
  const size = sizeOf(course, workload, heat)
  const rounds = Math.min(course.rounds, heat.rounds ?? course.rounds)
  const contestants = heat.contestants.map((contestant) => ({ contestant, durability: 'in memory' as Durability, measured: [] as Measured[] }))
  for (let round = 0; round < rounds; round++) {
    for (const result of contestants) {
      const { contestant } = result
      const folder = workload.dataset === undefined ? emptyFolder(course, 'round') : await filled(course, contestant, workload.dataset, size, node)
      const dataset = workload.dataset === undefined ? {} : { dataset: workload.dataset }
      const { measured, durability } = await inChild({ kind: 'round', contestant, workload: name, folder, size, ...dataset }, node)
      if (measured === undefined || durability === undefined) throw new Error(`${nameOf(contestant)} measured nothing`)
      result.measured.push(measured)
      result.durability = durability
    }
  }
  const all: Rounds[] = contestants.map(({ contestant, durability, measured }) => ({ contestant: nameOf(contestant), durability, measured }))
  const rows = all.map((result) => rowOf(result, all[0]!))
  return {
    name,
    title: heat.title === undefined ? workload.title : `${workload.title}: ${heat.title}`,
    unit: workload.unit,
    ...(workload.group === undefined ? {} : { group: workload.group.name }),
    node: node.version,
    rounds,
    records: size.records,
    seconds: (performance.now() - startedMs) / 1000,
    rows,
    verdicts: (heat.targets ?? []).flatMap((target) => verdictOf(target, all) ?? []),
    unproven: workload.group === undefined ? [] : unprovenOf(workload.group, rows),
  }
}

export function emptyFolder({ folder }: Course, name: string): string {
  const at = join(folder, name)
  rmSync(at, { recursive: true, force: true })
  mkdirSync(at)
  return at
}

async function filled({ folder }: Course, { peer }: Contestant, dataset: Dataset, size: Size, node: NodeProgram): Promise<string> {
  const at = join(folder, `${peer}-${dataset}-${size.records}`)
  if (!existsSync(at)) {
    mkdirSync(at)
    await inChild({ kind: 'fill', contestant: { peer }, dataset, folder: at, size }, node)
  }
  return at
}

function sizeOf({ size, quick }: Course, { dataset }: Workload, { records = size.records }: Heat): Size {
  const ms = dataset === undefined ? size.ms : size.ms * PART_FOR_READING
  return { ...size, ms, records: quick ? Math.min(records, size.records) : records }
}
