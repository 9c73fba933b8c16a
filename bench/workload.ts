// A workload: who competes, on what data, and what is measured in each round.
import type { Peer } from './peer.ts'

/** A name of a file in peers/, and what is different about it this time. */
export interface Contestant {
  readonly peer: string
  readonly variant?: string
}

/** Contestants that are compared with each other, in turns; the first one is ours. */
export interface Heat {
  /** `modern`: better-sqlite3 crashes on Node 20, so both sides run on a later one. */
  readonly node: 'this' | 'modern'
  readonly contestants: readonly Contestant[]
}

export type Dataset = 'records' | 'events' | 'JSON events'

export interface Size {
  readonly records: number
  /** How long a timed loop goes on, at least. */
  readonly ms: number
  /** The sizes that growth is looked at by. */
  readonly scales: readonly number[]
}

export interface Measured {
  readonly operations: number
  readonly ms: number
  readonly counted?: Record<string, number>
}

export interface Workload {
  readonly title: string
  /** What one operation is. */
  readonly unit: string
  readonly heats: readonly Heat[]
  /** What is in the folder, made once for each peer and only read; without it each round starts with an empty folder. */
  readonly dataset?: Dataset
  measure(peer: Peer, size: Size): Promise<Measured>
}

/** Runs `step` until the time is up, after a tenth of it for warming up; `finish` is part of the work, and brings the warming up to its end too. */
export async function timed(ms: number, step: () => unknown, operationsPerStep = 1, finish?: () => unknown): Promise<{ operations: number; ms: number }> {
  const until = async (end: number): Promise<number> => {
    let steps = 0
    while (performance.now() < end) {
      const pending = step()
      if (pending instanceof Promise) await pending
      steps++
    }
    return steps
  }
  await until(performance.now() + ms / 10)
  await finish?.()
  const started = performance.now()
  const steps = await until(started + ms)
  await finish?.()
  return { operations: steps * operationsPerStep, ms: performance.now() - started }
}
