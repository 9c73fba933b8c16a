// Decides when deltas are frozen and flushed, which callers wait for what, and how the coordinator ends. The order of a flush: freeze, `flushDelta`, the view
// without the frozen delta, the mark `written`, its waiters; then, if a caller waits for it, `flushStorage` and the mark `durable`. Marks only grow, and a view
// is published in the same step as the mark that promises it. One flush at a time: `#run` is the only place that calls the flusher.
import { closed, errorOf, type LedgerstoneError } from '../errors.ts'
import { AbortWatch } from '../internal/abort.ts'
import { currentContext } from '../internal/context.ts'
import { Deferred } from '../internal/deferred.ts'
import { throwIfAborted } from '../internal/platform.ts'
import { Turns } from '../internal/turns.ts'
import { AppliedWrite, type Coordinating, type FlushedRank } from './applied-write.ts'
import type { CoordinatorStats, CoordinatorTypes, EpochHandle, Pause, View } from './coordinator-types.ts'
import { FlusherCalls } from './flusher-calls.ts'
import type { Generation } from './generation.ts'
import { HeldWrites } from './held-writes.ts'
import { type FrozenDelta, Layers } from './layers.ts'
import { Pauses } from './pauses.ts'
import type { CoordinatorPlan } from './plan.ts'
import type { Schedule } from './schedule.ts'
import { Changes, type Followed } from './subscription.ts'
import { UserCode } from './user-code.ts'

/** The coordinator without its public face: arguments have been checked. */
export class Coordination<T extends CoordinatorTypes> implements Coordinating, Followed<View<T>> {
  readonly #plan: CoordinatorPlan<T>
  readonly #schedule: Schedule
  readonly #userCode = new UserCode((what) => this.#fail(`the delta's \`${what}\` was cut off`, undefined))
  readonly #layers: Layers<T>
  readonly #calls: FlusherCalls<T>
  readonly #held: HeldWrites<T['Write'], EpochHandle<T['ApplyResult']>>
  readonly #pauses: Pauses
  readonly aborts: AbortWatch = new AbortWatch()
  readonly changes: Changes = new Changes()
  readonly turns: Turns
  failure: LedgerstoneError | undefined
  #closing: Deferred<void> | undefined
  #isClosed = false
  #isRunning = false
  #isScheduled = false
  /** The current delta is to be frozen as soon as no flush runs. */
  #isDue = false
  #endInterval: (() => void) | undefined
  /** Written, with callers that wait for durable. */
  #toStore: Generation[] = []
  /** Those that the running storage flush makes durable. */
  #storing: Generation[] | undefined
  #flushes = 0
  #storageFlushes = 0
  #lastFlushMs = 0

  /** @throws what `init` and `reader` throw */
  constructor(plan: CoordinatorPlan<T>, schedule: Schedule) {
    const context = currentContext()
    const { init, flusher, retry } = plan
    this.#plan = plan
    this.#schedule = schedule
    this.turns = new Turns(schedule.now, schedule.nextTurn)
    const fail = (what: string, cause: unknown): void => this.#fail(`the delta's \`${what}\` failed`, cause)
    this.#layers = new Layers({ init, userCode: this.#userCode, context, fail }, plan.context, plan.snapshot)
    this.#calls = new FlusherCalls(flusher, retry, schedule, context)
    this.#held = new HeldWrites(schedule, this.aborts)
    this.#pauses = new Pauses(schedule, this.aborts, () => this.#goOn())
  }

  get isPaused(): boolean {
    return this.#pauses.isPaused
  }

  get defaultRank(): 0 | 1 | 2 {
    return this.#plan.rank
  }

  /** Applies the write now, or throws. */
  tryWrite(write: T['Write']): EpochHandle<T['ApplyResult']> {
    this.#checkWritable()
    const refusal = this.#refusal()
    if (refusal !== undefined) throw refusal
    return this.#apply(write)
  }

  /** Applies the write as soon as there is room and no pause. */
  write(write: T['Write'], timeoutMs?: number, signal?: AbortSignal): Promise<EpochHandle<T['ApplyResult']>> {
    try {
      throwIfAborted(signal) // first: a signal of another implementation is the user's code
      this.#checkWritable()
      const refusal = this.#refusal()
      if (refusal === undefined) return this.turns.give(this.#apply(write))
      if (timeoutMs === 0) throw refusal
      return this.#held.hold(write, timeoutMs, signal)
    } catch (error) {
      return this.turns.refuse(error)
    }
  }

  view(): View<T> {
    return this.#layers.view()
  }

  reach(rank: FlushedRank, generation: Generation, epoch: number): Promise<void> | undefined {
    if (epoch <= (rank === 1 ? this.#layers.written : this.#layers.durable)) return undefined
    if (this.failure !== undefined) throw this.failure
    if (this.#calls.isInside) throw errorOf('ERR_TRANSACTION_OPEN', 'a call of the flusher would wait for itself')
    const reached = rank === 1 ? generation.written() : this.#durable(generation)
    if (generation === this.#layers.generation) this.#isDue = true
    this.#kick()
    return reached
  }

  /** Resolves when every applied write has reached the level. */
  async flush(rank: FlushedRank, signal: AbortSignal | undefined): Promise<void> {
    throwIfAborted(signal)
    this.#enter()
    const { newest } = this.#layers
    const reached = this.reach(rank, newest, newest.last)
    if (reached !== undefined) await this.#unlessAborted(reached, signal)
  }

  /** Resolves to a pause when no flush runs. */
  async pause(timeoutMs: number, signal: AbortSignal | undefined): Promise<Pause> {
    throwIfAborted(signal)
    this.#enter()
    if (this.#closing !== undefined) throw closed('coordinator')
    return this.#pauses.begin(!this.#isRunning, timeoutMs, signal)
  }

  stats(): CoordinatorStats {
    const { applied, written, durable, pendingBytes, frozenCount } = this.#layers
    return {
      epochs: { applied, written, durable },
      pendingBytes,
      frozen: frozenCount,
      waiting: this.#held.size,
      flushes: this.#flushes,
      storageFlushes: this.#storageFlushes,
      lastFlushMs: this.#lastFlushMs,
    }
  }

  /** Resolves when every accepted write is durable. */
  async close(signal: AbortSignal | undefined): Promise<void> {
    this.#checkOutside()
    if (this.failure !== undefined) throw this.failure
    if (this.#isClosed) return
    const unwatch = signal === undefined ? undefined : this.aborts.add(signal, (reason) => this.#fail('closing was given up', reason))
    try {
      const closing = this.#closing ?? this.#beginClosing()
      await this.#unlessAborted(closing.promise, signal)
    } finally {
      unwatch?.()
    }
  }

  /** Disposing: a `close` has reported the outcome to its own caller. */
  async dispose(): Promise<void> {
    this.#checkOutside()
    if (this.#closing === undefined) return this.close(undefined)
    await this.#closing.promise.catch(() => {})
  }

  #beginClosing(): Deferred<void> {
    const closing = new Deferred<void>()
    closing.promise.catch(() => {}) // callers of `close` get the error
    this.#closing = closing
    this.#pauses.end()
    this.#goOn()
    return closing
  }

  #unlessAborted(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    return signal === undefined ? promise : this.aborts.race(promise, signal)
  }

  /** Refuses calls from inside what would wait for that same call, and calls after a failure or the end. */
  #enter(): void {
    this.#checkOutside()
    if (this.failure !== undefined) throw this.failure
    if (this.#isClosed) throw closed('coordinator')
  }

  #checkOutside(): void {
    this.#userCode.refuse()
    if (this.#calls.isInside) throw errorOf('ERR_TRANSACTION_OPEN', 'a call of the flusher would wait for itself')
  }

  #checkWritable(): void {
    this.#userCode.refuse()
    if (this.failure !== undefined) throw this.failure
    if (this.#closing !== undefined) throw closed('coordinator')
  }

  /** Why a write has to wait, if it has to. Asks for the flush that makes room. */
  #refusal(): LedgerstoneError | undefined {
    if (this.isPaused) return errorOf('ERR_PAUSED', 'the coordinator is paused')
    if (this.#hasRoom && this.#held.size === 0) return undefined
    const { pendingBytes, generation } = this.#layers
    if (!generation.isEmpty) this.#isDue = true
    this.#kick()
    return errorOf('ERR_BACKPRESSURE', `flushing does not keep up: pendingBytes=${pendingBytes} max=${this.#plan.maxPendingBytes}`, { pendingBytes })
  }

  get #hasRoom(): boolean {
    return this.#layers.pendingBytes < this.#plan.maxPendingBytes
  }

  #apply(write: T['Write']): EpochHandle<T['ApplyResult']> {
    const layers = this.#layers
    const { generation } = layers
    const handle = new AppliedWrite(this, generation, generation.end, layers.apply(write))
    this.changes.changed()
    if (this.failure === undefined) this.#look(generation)
    return handle
  }

  /** Freezes the delta if it is full; starts its interval at the first write. */
  #look(generation: Generation): void {
    const { bytes, writes, intervalMs } = this.#plan.flush
    const count = generation.end - generation.start
    if (this.#layers.bytes >= bytes || count >= writes) {
      this.#freeze()
      this.#kick()
    } else if (count === 1) {
      this.#endInterval = this.#schedule.after(intervalMs, this.#aged)
    }
  }

  readonly #aged = (): void => {
    this.#endInterval = undefined
    this.#isDue = true
    this.#kick()
  }

  #freeze(): void {
    this.#isDue = false
    this.#forgetInterval()
    this.#layers.freeze()
  }

  #forgetInterval(): void {
    this.#endInterval?.()
    this.#endInterval = undefined
  }

  /** Starts the flusher's loop if it does not run: in the next turn, so that all requests of this turn share it. */
  #kick(): void {
    if (!this.#isRunning) this.#goOn()
  }

  /** A pause may have ended: lets writes in, also while a flush runs. */
  #goOn(): void {
    if (this.#isScheduled || this.isPaused || this.failure !== undefined || this.#isClosed) return
    this.#schedule.nextTurn(this.#begin)
    this.#isScheduled = true
  }

  readonly #begin = (): void => {
    this.#isScheduled = false
    if (!this.#isRunning) void this.#run()
    else this.#admit()
  }

  /** Does the work that is due, until there is none. */
  async #run(): Promise<void> {
    this.#isRunning = true
    for (let work = this.#nextWork(); work !== undefined; work = this.#nextWork()) {
      await work
      const pause = this.turns.pause()
      if (pause !== undefined) await pause
    }
    this.#isRunning = false
    if (this.isPaused) this.#pauses.isIdle()
  }

  /** A method, because the field may have changed while user code ran, which the compiler does not expect. */
  #hasFailed(): boolean {
    return this.failure !== undefined
  }

  #admit(): void {
    while (this.#held.size > 0 && this.#hasRoom && !this.isPaused) this.#held.admit((write) => this.#apply(write))
  }

  #nextWork(): Promise<void> | undefined {
    this.#admit()
    if (this.failure !== undefined || this.isPaused || this.#isClosed) return undefined
    if (this.#toStore.length > 0) return this.#flushStorage()
    const layers = this.#layers
    const isDue = this.#isDue || this.#closing !== undefined || this.#held.size > 0
    if (layers.oldestFrozen === undefined && isDue && !layers.generation.isEmpty) this.#freeze()
    if (this.#hasFailed()) return undefined // `freeze` may have given up closing, or failed
    if (layers.oldestFrozen !== undefined) return this.#flushDelta(layers.oldestFrozen)
    return this.#closing === undefined ? undefined : this.#finish()
  }

  async #flushDelta(frozen: FrozenDelta<T>): Promise<void> {
    const { generation } = frozen
    const startedMs = this.#schedule.now()
    try {
      const snapshot = await this.#calls.flushDelta(frozen)
      if (this.failure !== undefined) return // too late: every waiter has got the failure
      this.#layers.flushed(snapshot)
    } catch (cause) {
      this.#fail(`\`flushDelta\` failed: epochs=[${generation.start}, ${generation.end})`, cause)
      return
    }
    this.#flushes++
    this.#lastFlushMs = this.#schedule.now() - startedMs
    this.changes.changed()
    generation.isWritten()
    if (generation.mustBeDurable) this.#toStore.push(generation)
  }

  /** Makes durable all that is written; no delta is flushed during it. */
  async #flushStorage(): Promise<void> {
    const storing = this.#toStore
    this.#toStore = []
    this.#storing = storing
    const { written } = this.#layers
    try {
      await this.#calls.flushStorage()
      if (this.failure !== undefined) return
    } catch (cause) {
      this.#fail(`\`flushStorage\` failed: epochs=[1, ${written + 1})`, cause)
      return
    }
    this.#storing = undefined
    this.#storageFlushes++
    this.#layers.durable = written
    this.changes.changed()
    for (const generation of storing) generation.isDurable()
  }

  /** The end of closing: everything is written. */
  #finish(): Promise<void> | undefined {
    const { written, durable } = this.#layers
    if (durable < written) return this.#flushStorage()
    this.#isClosed = true
    this.changes.end()
    this.#closing?.resolve()
    return undefined
  }

  #durable(generation: Generation): Promise<void> {
    const isWritten = generation.last <= this.#layers.written
    if (isWritten && !generation.mustBeDurable) (this.#storing ?? this.#toStore).push(generation)
    return generation.durable()
  }

  /** Ends the coordinator: every waiter gets the failure, and nothing more is acknowledged. */
  #fail(what: string, cause: unknown): void {
    if (this.failure !== undefined || this.#isClosed) return
    const failure = errorOf('ERR_POISONED', `the coordinator has failed: ${what}`, undefined, cause)
    this.failure = failure
    this.#forgetInterval()
    for (const generation of [...(this.#storing ?? []), ...this.#toStore]) generation.fail(failure)
    this.#layers.refuse(failure)
    this.#held.refuse(failure)
    this.#pauses.end(failure)
    this.#closing?.reject(failure)
    this.changes.end()
    this.#calls.abort(cause)
  }
}
