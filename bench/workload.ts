// A workload: who competes, on what data, what is measured in each round, and what must come of it.
import type { Meter } from './meter.ts'
import type { Peer } from './peer.ts'

/** A name of a file in peers/, and what is different about it this time. */
export interface Contestant {
  readonly peer: string
  readonly variant?: string
}

/** A bound for ours divided by theirs, round by round, as a median. */
export interface Target {
  /** The name of a contestant of the same heat: `lmdb`, `lmdb (fast)`. */
  readonly against: string
  /** Of ours when it is not the first contestant. */
  readonly of?: string
  /** What is divided; operations per second when nothing is said. */
  readonly figure?: string
  readonly must: number
  readonly aim: number
  /** Which side of the bound is good. */
  readonly better: 'more' | 'less'
}

/** Contestants that are compared with each other, in turns; the first one is ours. */
export interface Heat {
  /** `modern`: better-sqlite3 crashes on Node 20, so both sides run on a later one. */
  readonly node: 'this' | 'modern'
  readonly contestants: readonly Contestant[]
  /** What is different from the workload's other heats. */
  readonly title?: string
  /** Another number of records than the run's, which in a quick look is the most. */
  readonly records?: number
  /** Fewer rounds than the run's, where one takes long or where nothing is claimed. */
  readonly rounds?: number
  readonly targets?: readonly Target[]
}

/** What the records are, or the events; a contestant opens its folder with it. */
export type Dataset = 'records' | 'strings' | 'objects' | 'string pairs' | 'events' | 'JSON events'

export interface Size {
  readonly records: number
  /** How long a timed loop goes on, at least. */
  readonly ms: number
  /** The sizes that growth is looked at by. */
  readonly scales: readonly number[]
}

export interface Group {
  readonly name: string
  /** Fewer flushes for each, and what was said to be flushed was not: 1, or less where several are under way beside each other. */
  readonly leastFlushes: number
}

export interface Measured {
  readonly operations: number
  readonly ms: number
  /** For each step, by what counted them. */
  readonly flushes: Readonly<Record<string, number>>
  /** What else was measured, such as a percentile of latencies. */
  readonly figures?: Readonly<Record<string, number>>
}

export interface Workload {
  readonly title: string
  /** What one operation is. */
  readonly unit: string
  readonly heats: readonly Heat[]
  /** What is in the folder, made once for each peer and only read; without it each round starts with an empty folder. */
  readonly dataset?: Dataset
  /** What one step makes durable together: flushes are counted for each, and that there are any is checked of those who say that they flush. */
  readonly group?: Group
  measure(peer: Peer, size: Size, meter: Meter): Promise<Measured>
}
