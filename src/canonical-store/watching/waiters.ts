// The callers that wait for a commit to reach a level. Those of one turn that wait for the same level share one promise. Turns are settled in the order of
// their commits, and in the event loop's next turn when that is due. Knows nothing of native code: the store passes it the marks.
import { Deferred } from '../../internal/deferred.ts'
import type { Turns } from '../../internal/turns.ts'
import type { CommitInfo } from '../api/commit.ts'

/** Written, durable, flushed. (Applied needs no waiting.) */
export type Level = 1 | 2 | 3
export const WRITTEN = 1
export const DURABLE = 2
export const FLUSHED = 3
export const LEVELS: readonly Level[] = [WRITTEN, DURABLE, FLUSHED]

/** How many share a promise at most, so that the first of a very large turn settle before the last are reached. */
const BATCH = 256

class Batch {
  /** Settled when the level's mark has come this far. */
  seq: number
  waiters = 0
  /** Resolves with `undefined`, or with the error that keeps the level from being reached: it never rejects, so that no rejection is unhandled. */
  readonly done: Deferred<Error | undefined> = new Deferred()
  /** For callers that get their commit: the commits, in the order of the calls, which is the order in which a promise calls its reactions. */
  readonly #commits: CommitInfo[] = []
  #given = 0
  /** How far the level had come when the rest of the batch failed. */
  #mark = 0

  constructor(seq: number) {
    this.seq = seq
  }

  /** One function for all of them: with one closure for each, a third of what survives a garbage collection while they wait was closures. */
  readonly #give = (failure: Error | undefined): CommitInfo => {
    const commit = this.#commits[this.#given++] as CommitInfo
    if (failure !== undefined && commit.seq > this.#mark) throw failure
    return commit
  }

  add(commit: CommitInfo): Promise<CommitInfo> {
    this.#commits.push(commit)
    return this.done.promise.then(this.#give)
  }

  settle(): void {
    this.done.resolve(undefined)
  }

  fail(reason: Error, mark: number): void {
    this.#mark = mark
    this.done.resolve(reason)
  }
}

/** The waiters of one store in one environment. */
export class Waiters {
  /** By level, written, durable, flushed; the first is always empty. */
  readonly #queues: readonly Batch[][] = [[], [], [], []]
  /** The highest seq that a caller has begun to wait for since the last turn; 0: none. */
  readonly #wanted: number[] = [0, 0, 0, 0]
  /** How far each level has come. */
  readonly #marks: number[] = [0, 0, 0, 0]
  readonly #loop: { readonly turns: Turns }
  #count = 0

  constructor(loop: { readonly turns: Turns }) {
    this.#loop = loop
  }

  /** How many callers wait. */
  get count(): number {
    return this.#count
  }

  /** Resolves when `level` has reached `seq`, which it has not yet, or with the error for which it never will. */
  add(level: Level, seq: number): Promise<Error | undefined> {
    return this.#join(level, seq).done.promise
  }

  /** The same with the commit itself as the result, and the error as a rejection. */
  addCommit<C extends CommitInfo>(level: Level, commit: C): Promise<C> {
    return this.#join(level, commit.seq).add(commit) as Promise<C>
  }

  /** The seq to ask native code for at one level, once per turn. */
  takeWanted(level: Level): number {
    const wanted = this.#wanted[level] as number
    this.#wanted[level] = 0
    return wanted
  }

  /** The handle by which native code was asked is gone: all waits have to be asked for again. */
  wantAgain(): void {
    for (const level of LEVELS) this.#wanted[level] = this.#queue(level).at(-1)?.seq ?? 0
  }

  /** A level's mark has moved: settles the waits that it reaches, in order. */
  settle(level: Level, mark: number): void {
    const queue = this.#queue(level)
    if (queue.length === 0) return
    this.#marks[level] = mark
    let reached = 0
    while (reached < queue.length && (queue[reached] as Batch).seq <= mark) reached++
    if (reached === 0) return
    const { turns } = this.#loop
    for (const batch of queue.splice(0, reached)) {
      this.#count -= batch.waiters
      if (turns.isDue()) turns.later(() => batch.settle())
      else batch.settle()
    }
  }

  /** Whether a caller waits for a level. */
  has(level: Level): boolean {
    return this.#queue(level).length > 0
  }

  /** What has not been reached never will be. */
  fail(reason: Error): void {
    for (const level of LEVELS) this.failLevel(level, reason)
  }

  /** Ends the waits for a level: what it has not reached fails. */
  failLevel(level: Level, reason: Error): void {
    const { turns } = this.#loop
    for (const batch of this.#queue(level).splice(0)) {
      this.#count -= batch.waiters
      const mark = this.#marks[level] as number
      if (turns.isDue()) turns.later(() => batch.fail(reason, mark))
      else batch.fail(reason, mark)
    }
  }

  #join(level: Level, seq: number): Batch {
    const wanted = this.#wanted[level] as number
    if (seq > wanted) this.#wanted[level] = seq
    this.#count++
    const batch = this.#batch(this.#queue(level), seq, wanted > 0)
    batch.waiters++
    return batch
  }

  #batch(queue: Batch[], seq: number, turnHasBegun: boolean): Batch {
    let at = queue.length
    while (at > 0 && (queue[at - 1] as Batch).seq >= seq) at--
    const later = queue[at]
    if (later !== undefined) return later // a later seq is awaited already
    const last = queue[at - 1]
    if (turnHasBegun && last !== undefined && last.waiters < BATCH) {
      last.seq = seq
      return last
    }
    const batch = new Batch(seq)
    queue.push(batch)
    return batch
  }

  #queue(level: Level): Batch[] {
    return this.#queues[level] as Batch[]
  }
}
