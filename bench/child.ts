// One contestant, one process: fills a data set, runs one round of a workload, or a probe, and sends what came out to its parent.
import type { Durability } from './durability.ts'
import { Meter } from './meter.ts'
import { EVENT_BYTES, Random, VALUE_BYTES, keysFor, type Peer } from './peer.ts'
import type { Contestant, Dataset, Measured, Size, Workload } from './workload.ts'

export type Order = { readonly folder: string; readonly size: Size } & (
  | { readonly kind: 'fill'; readonly contestant: Contestant; readonly dataset: Dataset }
  | { readonly kind: 'round'; readonly contestant: Contestant; readonly dataset?: Dataset; readonly workload: string }
  | { readonly kind: 'probe'; readonly probe: string }
)

export interface Answer {
  readonly durability?: Durability
  readonly measured?: Measured
  readonly figures?: Figures
}

/** By what was measured; with columns, by the column's head too. */
export type Figures = Readonly<Record<string, number | Readonly<Record<string, number>>>>

/** A bound for one of the figures. */
export interface ProbeTarget {
  readonly figure: string
  readonly column?: string
  readonly must: number
  readonly aim: number
  readonly better: 'more' | 'less'
}

/** What a file in probes/ exports: figures about ourselves that no ratio belongs to. */
export interface Probe {
  readonly title: string
  readonly targets?: readonly ProbeTarget[]
  run(folder: string, size: Size): Promise<Figures>
}

type OpenPeer = (folder: string, variant?: string, dataset?: Dataset) => Promise<Peer>

const order = JSON.parse(process.argv[2] ?? '') as Order
const answer = order.kind === 'probe' ? await probe(order.probe) : await withPeer(order)
process.send?.(answer, undefined, undefined, () => process.disconnect())

async function probe(name: string): Promise<Answer> {
  const { probe } = (await import(`./probes/${name}.ts`)) as { probe: Probe }
  return { figures: await probe.run(order.folder, order.size) }
}

async function withPeer(order: Exclude<Order, { kind: 'probe' }>): Promise<Answer> {
  const { peer: name, variant } = order.contestant
  const { openPeer } = (await import(`./peers/${name}.ts`)) as { openPeer: OpenPeer }
  const peer = await openPeer(order.folder, variant, order.dataset)
  try {
    if (order.kind === 'round') {
      const { workload } = (await import(`./workloads/${order.workload}.ts`)) as { workload: Workload }
      return { durability: peer.durability, measured: await workload.measure(peer, order.size, new Meter(order.folder, () => peer.flushes?.())) }
    }
    if (order.dataset.endsWith('events')) await peer.fillEvents?.(order.size.records, new Random(5).bytes(EVENT_BYTES))
    else await peer.fill?.(keysFor(order.size.records), new Random(3).bytes(VALUE_BYTES))
    return {}
  } finally {
    await peer.close()
  }
}
