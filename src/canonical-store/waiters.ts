// Who waits for which commit to reach which level. Those of one turn that wait for the same level share one promise; turns are settled in the
// order of their commits. Knows nothing of native code: the store tells it the marks.
import { Deferred } from '../internal/deferred.ts'

/** Written, durable, flushed. (Applied needs no waiting.) */
export type Level = 1 | 2 | 3
export const WRITTEN = 1
export const DURABLE = 2
export const FLUSHED = 3
export const LEVELS: readonly Level[] = [WRITTEN, DURABLE, FLUSHED]

/** So many share a promise at most: of a very large turn the first are told before the last are reached. */
const BATCH = 256

interface Batch {
  /** Settled when the level's mark has come this far. */
  seq: number
  waiters: number
  /** Resolves with `undefined`, or with what keeps the level from being reached: a promise that nobody hears rejects nothing. */
  readonly done: Deferred<Error | undefined>
}

/** The waiters of one store in one environment. */
export class Waiters {
  readonly #queues: Record<Level, Batch[]> = { 1: [], 2: [], 3: [] }
  /** By level: the highest seq that somebody has begun to wait for since the last turn; 0: nobody. */
  readonly #wanted: Record<Level, number> = { 1: 0, 2: 0, 3: 0 }
  #count = 0

  /** How many wait. */
  get count(): number {
    return this.#count
  }

  /** Resolves when `level` has reached `seq`, which it has not yet, or with the error for which it never will. */
  add(level: Level, seq: number): Promise<Error | undefined> {
    this.#count++
    const wanted = this.#wanted[level]
    this.#wanted[level] = Math.max(wanted, seq)
    const batch = this.#batch(level, seq, wanted > 0)
    batch.waiters++
    return batch.done.promise
  }

  /** What to ask native code for at one level, once per turn. */
  takeWanted(level: Level): number {
    const wanted = this.#wanted[level]
    this.#wanted[level] = 0
    return wanted
  }

  /** Whoever was asked for the waiters so far is gone: all of them are to be asked for anew. */
  wantAgain(): void {
    for (const level of LEVELS) this.#wanted[level] = this.#queues[level].at(-1)?.seq ?? 0
  }

  /** A level's mark has moved: resolves those it has reached, in order. */
  settle(level: Level, mark: number): void {
    const queue = this.#queues[level]
    let reached = 0
    while (reached < queue.length && (queue[reached] as Batch).seq <= mark) reached++
    if (reached === 0) return
    for (const batch of queue.splice(0, reached)) {
      this.#count -= batch.waiters
      batch.done.resolve(undefined)
    }
  }

  /** What has not been reached never will be. */
  fail(reason: Error): void {
    for (const level of LEVELS) {
      for (const batch of this.#queues[level].splice(0)) {
        this.#count -= batch.waiters
        batch.done.resolve(reason)
      }
    }
  }

  #batch(level: Level, seq: number, turnHasBegun: boolean): Batch {
    const queue = this.#queues[level]
    let at = queue.length
    while (at > 0 && (queue[at - 1] as Batch).seq >= seq) at--
    const later = queue[at]
    if (later !== undefined) return later // something older than what is awaited already
    const last = queue[at - 1]
    if (turnHasBegun && last !== undefined && last.waiters < BATCH) {
      last.seq = seq
      return last
    }
    const batch = { seq, waiters: 0, done: new Deferred<Error | undefined>() }
    queue.push(batch)
    return batch
  }
}
