// The current delta, the frozen ones, and the snapshot below them. Each change is made in one step, after the user's functions have run, so a view is whole at any
// moment: every applied write is in exactly one layer. When one of these functions fails, nothing is changed.
import { errorOf, invalidArgument } from '../errors.ts'
import type { Context } from '../internal/context.ts'
import { isPromise } from '../internal/platform.ts'
import { leaveUnheard } from '../internal/thenable.ts'
import type { CoordinatorTypes, Delta, EpochRange, EpochStamped, View } from './coordinator-types.ts'
import { Generation } from './generation.ts'
import { Queue } from './queue.ts'
import type { DeltaFunction, UserCode } from './user-code.ts'

/** A delta that waits to be flushed. */
export interface FrozenDelta<T extends CoordinatorTypes> {
  readonly frozen: T['Frozen']
  readonly generation: Generation
  readonly epochs: EpochRange
  readonly bytes: number
  readonly stamped: EpochStamped<T['FrozenView']>
}

/** How the user makes deltas. */
export interface DeltaSource<T extends CoordinatorTypes> {
  readonly init: (context: T['Context']) => Delta<T>
  readonly userCode: UserCode
  /** The async context of all functions but `apply` and `estimateSize`, which run in that of the write. */
  readonly context: Context
  /** Called when a function has failed and the coordinator cannot go on. */
  readonly fail: (what: DeltaFunction, cause: unknown) => void
}

const DELTA_METHODS = ['apply', 'estimateSize', 'freeze', 'reader'] as const

/** All applied writes, by where they are. */
export class Layers<T extends CoordinatorTypes> {
  readonly #source: DeltaSource<T>
  readonly #frozen = new Queue<FrozenDelta<T>>()
  #delta: Delta<T>
  #reader: T['DeltaView']
  #bytes = 0
  #frozenBytes = 0
  #snapshot: T['Snapshot']
  #frozenViews: readonly EpochStamped<T['FrozenView']>[] | undefined
  /** That of the current delta. */
  generation: Generation = new Generation(1)
  /** That of the newest write. */
  newest: Generation = this.generation
  written = 0
  durable = 0

  /** @throws what `init` and `reader` throw */
  constructor(source: DeltaSource<T>, context: T['Context'], snapshot: T['Snapshot']) {
    this.#source = source
    this.#snapshot = snapshot
    this.#delta = this.#call('init', () => checkedDelta<T>(source.init(context)))
    this.#reader = this.#call('reader', () => this.#delta.reader())
  }

  get applied(): number {
    return this.newest.last
  }

  get pendingBytes(): number {
    return this.#frozenBytes + this.#bytes
  }

  /** The size of the current delta. */
  get bytes(): number {
    return this.#bytes
  }

  get frozenCount(): number {
    return this.#frozen.size
  }

  get oldestFrozen(): FrozenDelta<T> | undefined {
    return this.#frozen.first
  }

  /** Applies a write in the running async context; then it is the last of `generation`. @throws what `apply` throws */
  apply(write: T['Write']): T['ApplyResult'] {
    const { userCode } = this.#source
    let result: T['ApplyResult']
    userCode.enter('apply')
    try {
      result = this.#delta.apply(write)
    } finally {
      userCode.leave()
    }
    this.newest = this.generation
    this.generation.end++
    if (isPromise(result)) this.#refusePromise(result)
    else this.#measure()
    return result
  }

  /** Ends the current delta and begins the next, unless that fails. */
  freeze(): void {
    const { init, fail } = this.#source
    let what: DeltaFunction = 'freeze'
    try {
      const ended = this.#call('freeze', () => checkedEnd<T>(this.#delta.freeze()))
      what = 'init'
      const delta = this.#call('init', () => checkedDelta<T>(init(ended.context)))
      what = 'reader'
      const reader = this.#call('reader', () => delta.reader())
      this.#begin(delta, reader, ended)
    } catch (cause) {
      fail(what, cause)
    }
  }

  /** The oldest frozen delta has been stored. */
  flushed(snapshot: T['Snapshot']): void {
    const { bytes, generation } = this.#frozen.shift() as FrozenDelta<T>
    this.#snapshot = snapshot
    this.#frozenViews = undefined
    this.#frozenBytes -= bytes
    this.written = generation.last
  }

  view(): View<T> {
    const { applied, written, durable } = this
    this.#frozenViews ??= Object.freeze(this.#frozen.newestFirst().map(({ stamped }) => stamped))
    return { current: this.#reader, frozen: this.#frozenViews, snapshot: this.#snapshot, epochs: { applied, written, durable } }
  }

  /** Rejects the waits for everything that is not written. */
  refuse(reason: unknown): void {
    for (const { generation } of this.#frozen.newestFirst().toReversed()) generation.fail(reason)
    this.generation.fail(reason)
  }

  #begin(delta: Delta<T>, reader: T['DeltaView'], { frozen, view }: { frozen: T['Frozen']; view: T['FrozenView'] }): void {
    const { generation } = this
    const epochs = Object.freeze({ start: generation.start, end: generation.end })
    this.#frozen.push({ frozen, generation, epochs, bytes: this.#bytes, stamped: Object.freeze({ value: view, epochs }) })
    this.#frozenBytes += this.#bytes
    this.#frozenViews = undefined
    this.#delta = delta
    this.#reader = reader
    this.#bytes = 0
    this.generation = new Generation(generation.end)
  }

  #measure(): void {
    const { userCode, fail } = this.#source
    try {
      userCode.enter('estimateSize')
      const bytes = this.#delta.estimateSize()
      userCode.leave()
      if (!Number.isFinite(bytes) || bytes < 0) throw invalidArgument('estimateSize', 'a number of bytes from 0 on is needed')
      this.#bytes = Math.max(this.#bytes, Math.ceil(bytes))
    } catch (cause) {
      userCode.leave()
      fail('estimateSize', cause)
    }
  }

  /** The function behind the promise may change the delta, or fail, long after the write was acknowledged. */
  #refusePromise(result: Promise<unknown>): void {
    leaveUnheard(result)
    this.#source.fail('apply', errorOf('ERR_ASYNC_TRANSACTION', "the delta's `apply` returned a promise"))
  }

  #call<R>(what: DeltaFunction, fn: () => R): R {
    const { userCode, context } = this.#source
    userCode.enter(what)
    try {
      return context(fn)
    } finally {
      userCode.leave()
    }
  }
}

function checkedDelta<T extends CoordinatorTypes>(delta: Delta<T>): Delta<T> {
  for (const method of DELTA_METHODS) {
    if (typeof (delta as Partial<Delta<T>> | null | undefined)?.[method] !== 'function') throw invalidArgument('init', `a delta with the method \`${method}\` is needed`)
  }
  return delta
}

/** Reads all three before anything is changed: they may be getters. */
function checkedEnd<T extends CoordinatorTypes>(end: ReturnType<Delta<T>['freeze']>): ReturnType<Delta<T>['freeze']> {
  if (typeof end !== 'object' || end === null || !('frozen' in end && 'view' in end && 'context' in end)) {
    throw invalidArgument('freeze', 'an object with `frozen`, `view` and `context` is needed')
  }
  const { frozen, view, context } = end
  return { frozen, view, context }
}
