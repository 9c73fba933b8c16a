// The write coordinator as its users see it: checks the arguments and passes the calls on to `Coordination`.
import { rankOf } from '../compare-durability.ts'
import { invalidArgument, type LedgerstoneError } from '../errors.ts'
import type { FlushedRank } from './applied-write.ts'
import { Coordination } from './coordination.ts'
import type { CoordinatorOptions, CoordinatorStats, CoordinatorTypes, EpochHandle, Pause, SignalOptions, View } from './coordinator-types.ts'
import { planOf, signalOf, waitOf } from './plan.ts'
import { realSchedule, type Schedule } from './schedule.ts'
import { Subscription } from './subscription.ts'

const PAUSE_TIMEOUT_MS = 30_000

/**
 * Batches writes into slower storage: a table, a file format, an object store, a search index. A write is applied at once, to a {@link Delta} in memory. Deltas are
 * frozen and stored by a {@link Flusher} in the background, one at a time and in order, while writes go on. Everything runs in this thread, and no native code is
 * loaded.
 *
 * - **Levels**: a write is `applied` when its promise resolves, `written` when its delta has been stored, `durable` when the storage has been flushed after that.
 * - **Back-pressure**: `write` waits, first come first served, while `maxPendingBytes` or more are applied and not written.
 * - **Failure**: a flush or a delta that fails for good ends the coordinator. Every waiter and every later write gets `ERR_POISONED` with the cause. Views stay
 *   readable. Make a new coordinator to go on.
 * - **End**: a write that is not flushed yet keeps the process alive. Call `close()` at the end.
 *
 * `T` has to be named, as it cannot be inferred. A write is passed to `apply` without a copy, perhaps later: do not change it afterwards.
 *
 * @example
 * ```ts
 * interface Visit { at: number; path: string }
 * interface Visits extends ListDeltaTypes<Visit> { Snapshot: JsonLinesSnapshot | undefined }
 *
 * const coordinator = new WriteCoordinator<Visits>({ init: listDelta(), context: undefined, snapshot: undefined, flusher: jsonLines('./visits') })
 * const handle = await coordinator.write({ at: Date.now(), path: '/' })
 * await handle.wait('durable')
 * await coordinator.close()
 * ```
 */
export class WriteCoordinator<T extends CoordinatorTypes = never> implements AsyncDisposable {
  readonly #coordination: Coordination<T>

  /** @throws `ERR_INVALID_ARGUMENT`; what `init` and its delta's `reader` throw */
  constructor(options: CoordinatorOptions<T>)
  /** @internal */
  constructor(options: CoordinatorOptions<T>, schedule: Schedule)
  constructor(options: CoordinatorOptions<T>, schedule: Schedule = realSchedule) {
    this.#coordination = new Coordination(planOf(options), schedule)
  }

  /**
   * Whether it is paused, or a `pause` waits for a flush to end.
   *
   * @example
   * ```ts
   * if (coordinator.isPaused) console.log('writes wait')
   * ```
   */
  get isPaused(): boolean {
    return this.#coordination.isPaused
  }

  /**
   * Why it has stopped for good, if it has: `ERR_POISONED` with the cause.
   *
   * @example
   * ```ts
   * if (coordinator.failure !== undefined) console.error(coordinator.failure.cause)
   * ```
   */
  get failure(): LedgerstoneError | undefined {
    return this.#coordination.failure
  }

  /**
   * Applies a write: within this call if there is room and no pause, otherwise when its turn comes. Time-out and signal count until then; an applied write stays.
   * Without `timeoutMs` it waits as long as the flusher takes.
   *
   * Rejects with what `apply` throws (nothing was written), `ERR_TIMEOUT` (`waitedMs`), `ERR_BACKPRESSURE` or `ERR_PAUSED` (`timeoutMs: 0`, which does not wait), the
   * signal's reason, `ERR_CLOSED`, `ERR_POISONED`, `ERR_TRANSACTION_OPEN` (inside a delta's function), `ERR_INVALID_ARGUMENT`.
   *
   * @example
   * ```ts
   * const { epoch, result } = await coordinator.write({ item: 'tea', amount: 2 }, { timeoutMs: 5_000 })
   * ```
   */
  write(write: T['Write'], options?: { timeoutMs?: number | undefined; signal?: AbortSignal | undefined }): Promise<EpochHandle<T['ApplyResult']>> {
    if (options === undefined) return this.#coordination.write(write)
    try {
      const { timeoutMs, signal } = waitOf(options)
      return this.#coordination.write(write, timeoutMs, signal)
    } catch (error) {
      return this.#coordination.turns.refuse(error)
    }
  }

  /**
   * Applies a write now, or throws.
   *
   * @throws `ERR_BACKPRESSURE` (`pendingBytes`), `ERR_PAUSED`, and what {@link WriteCoordinator.write} rejects with
   * @example
   * ```ts
   * const handle = coordinator.tryWrite({ item: 'tea', amount: 2 })
   * ```
   */
  tryWrite(write: T['Write']): EpochHandle<T['ApplyResult']> {
    return this.#coordination.tryWrite(write)
  }

  /**
   * All applied writes, to read from. Works also after a failure and after `close`.
   *
   * @example
   * ```ts
   * const { current, epochs } = coordinator.view()
   * console.log(current.get('tea'), `${epochs.applied - epochs.durable} writes may still be lost`)
   * ```
   */
  view(): View<T> {
    return this.#coordination.view()
  }

  /**
   * Gives the current view, then the newest one whenever it has changed. A slow subscriber skips views, but never misses the newest, and is never cut off. Each
   * iteration begins with the current view. It ends when the coordinator has been closed, and throws its `failure`, or the signal's reason.
   *
   * @throws `ERR_INVALID_ARGUMENT`
   * @example
   * ```ts
   * const { epoch } = await coordinator.write({ item: 'tea', amount: 2 })
   * void coordinator.flush('durable')
   * for await (const { epochs } of coordinator.subscribe({ signal: AbortSignal.timeout(60_000) })) {
   *   console.log(`${epochs.durable} of ${epochs.applied} writes are durable`)
   *   if (epochs.durable >= epoch) break
   * }
   * ```
   */
  subscribe(options?: SignalOptions): AsyncIterable<View<T>> {
    const signal = signalOf(options)
    return { [Symbol.asyncIterator]: () => new Subscription(this.#coordination, signal) }
  }

  /**
   * Resolves when all applied writes are written, or durable. An aborted signal ends the waiting only.
   *
   * Rejects with `ERR_POISONED`, `ERR_CLOSED`, the signal's reason, `ERR_TRANSACTION_OPEN` (inside a delta's function or a call of the flusher), `ERR_INVALID_ARGUMENT`.
   *
   * @example
   * ```ts
   * await coordinator.flush('durable')
   * ```
   */
  flush(level: 'written' | 'durable' = 'written', options?: SignalOptions): Promise<void> {
    return this.#coordination.turns.within(() => this.#coordination.flush(flushedRank(level), signalOf(options)))
  }

  /**
   * Keeps writes and flushes out, from this call until the pause is released. Resolves when no flush runs any more. While at least one pause is held, `write` waits,
   * `tryWrite` throws `ERR_PAUSED`, and `flush` and waits stay pending. `timeoutMs` is 30,000 by default.
   *
   * Rejects with `ERR_TIMEOUT` (`waitedMs`), `ERR_POISONED`, `ERR_CLOSED`, the signal's reason, `ERR_TRANSACTION_OPEN` (inside a delta's function or a call of the flusher),
   * `ERR_INVALID_ARGUMENT`. A rejected call leaves no pause.
   *
   * @example
   * ```ts
   * const pause = await coordinator.pause()
   * try {
   *   console.log(await table.totals()) // nothing is stored in the table until the release
   * } finally {
   *   pause.release()
   * }
   * ```
   */
  pause(options?: { timeoutMs?: number | undefined; signal?: AbortSignal | undefined }): Promise<Pause> {
    return this.#coordination.turns.within(() => {
      const { timeoutMs = PAUSE_TIMEOUT_MS, signal } = waitOf(options)
      return this.#coordination.pause(timeoutMs, signal)
    })
  }

  /**
   * Counts and sizes, as of now.
   *
   * @example
   * ```ts
   * const { pendingBytes, waiting, epochs } = coordinator.stats()
   * ```
   */
  stats(): CoordinatorStats {
    return this.#coordination.stats()
  }

  /**
   * Ends the coordinator: ends pauses, refuses new writes, applies those that wait, flushes, and makes the storage durable, in this order. A second call waits for
   * the same end. An aborted signal ends the coordinator as failed at once and aborts the flusher's signal.
   *
   * Rejects with `ERR_POISONED` (the coordinator failed, now or before), the signal's reason, `ERR_TRANSACTION_OPEN` (inside a delta's function or a call of the flusher),
   * `ERR_INVALID_ARGUMENT`.
   *
   * @example
   * ```ts
   * await coordinator.close({ signal: AbortSignal.timeout(10_000) })
   * ```
   */
  close(options?: SignalOptions): Promise<void> {
    return this.#coordination.turns.within(() => this.#coordination.close(signalOf(options)))
  }

  /** Calls {@link WriteCoordinator.close}. If that has been called before, waits for its end and does not repeat its error. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#coordination.turns.within(() => this.#coordination.dispose())
  }
}

function flushedRank(level: unknown): FlushedRank {
  const rank = rankOf(level, 'level')
  if (rank === 0) throw invalidArgument('level', "'written' or 'durable' is needed")
  return rank
}
