// The write coordinator as its users hold it: it checks the arguments and passes on.
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
 * Batches writes into storage that is slower than they are: a table, a file format, an object store, a search index. A write is applied to a {@link Delta} in
 * memory at once; deltas are frozen, and stored by a {@link Flusher} in the background, one at a time and in order, while writes go on. All of it is in this
 * thread, and nothing native is loaded.
 *
 * - **Levels**: a write is `applied` when its promise resolves, `written` when its delta has been stored, `durable` when the storage has been flushed after that.
 * - **Back-pressure**: `write` waits, first come first served, while what is applied and not written is above `maxPendingBytes`.
 * - **Failure**: a flush that fails for good, and a delta that does, end it: everybody who waits and every later write gets `ERR_POISONED` with the cause. Views
 *   stay readable. There is no way on but a new coordinator.
 * - **End**: what was written stays in memory until it is flushed, and keeps the process alive until then. `close()` at the end.
 *
 * `T` has to be named, as it cannot be inferred. A write is handed to `apply` as it is, perhaps later: do not change it afterwards.
 *
 * @example
 * ```ts
 * interface Lines extends ListDeltaTypes<{ at: number; text: string }> { Snapshot: JsonLinesSnapshot | undefined }
 *
 * const coordinator = new WriteCoordinator<Lines>({ init: listDelta(), context: undefined, snapshot: undefined, flusher: jsonLines('./lines') })
 * const handle = await coordinator.write({ at: 1, text: 'hello' })
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
   * Whether somebody has paused it, or waits to.
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
   * Applies a write: within this call if there is room and no pause, otherwise when its turn comes. Until then the time and the signal may end it; from then
   * on it stands. Without `timeoutMs` it waits as long as the flusher takes.
   *
   * Rejects with what `apply` throws (nothing was written), `ERR_TIMEOUT` (`waitedMs`), `ERR_BACKPRESSURE` or `ERR_PAUSED` (`timeoutMs: 0`, which does not wait), the
   * signal's reason, `ERR_CLOSED`, `ERR_POISONED`, `ERR_TRANSACTION_OPEN` (inside a delta's function), `ERR_INVALID_ARGUMENT`.
   *
   * @example
   * ```ts
   * const { epoch, result } = await coordinator.write({ key: 'a', value: 1 }, { timeoutMs: 5_000 })
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
   * Applies a write now.
   *
   * @throws `ERR_BACKPRESSURE` (`pendingBytes`), `ERR_PAUSED`, and what {@link WriteCoordinator.write} rejects with
   * @example
   * ```ts
   * const handle = coordinator.tryWrite({ key: 'a', value: 1 })
   * ```
   */
  tryWrite(write: T['Write']): EpochHandle<T['ApplyResult']> {
    return this.#coordination.tryWrite(write)
  }

  /**
   * What has been written, to read from. Also after a failure, and after the end.
   *
   * @example
   * ```ts
   * const { current, epochs } = coordinator.view()
   * console.log(current, `${epochs.applied - epochs.durable} writes may still be lost`)
   * ```
   */
  view(): View<T> {
    return this.#coordination.view()
  }

  /**
   * The current view, then the newest whenever it has changed. Who is slow skips, and is never cut off. Each iteration begins anew. It ends when the coordinator has
   * been closed, and throws its `failure`, or the signal's reason.
   *
   * @throws `ERR_INVALID_ARGUMENT`
   * @example
   * ```ts
   * for await (const { epochs } of coordinator.subscribe({ signal })) progress.show(epochs.durable)
   * ```
   */
  subscribe(options?: SignalOptions): AsyncIterable<View<T>> {
    const signal = signalOf(options)
    return { [Symbol.asyncIterator]: () => new Subscription(this.#coordination, signal) }
  }

  /**
   * Resolves when all that has been applied is written, or durable. An aborted signal ends the waiting only.
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
   * Keeps writes and flushes out until the pause is released: at once, and resolves when no flush runs any more. Pauses are counted. Meanwhile `write` waits,
   * `tryWrite` is `ERR_PAUSED`, `flush` and waits stay pending. `timeoutMs` is 30,000 by default.
   *
   * Rejects with `ERR_TIMEOUT` (`waitedMs`), `ERR_POISONED`, `ERR_CLOSED`, the signal's reason, `ERR_TRANSACTION_OPEN` (inside a delta's function or a call of the flusher),
   * `ERR_INVALID_ARGUMENT`. Then it goes on.
   *
   * @example
   * ```ts
   * const pause = await coordinator.pause()
   * try {
   *   await copyTheTable()
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
   * Ends it: ends pauses, refuses new writes, applies those that wait, flushes, and makes the storage durable, in this order. Called again it waits for the
   * same end. An aborted signal aborts the flusher's signals too, and ends it as failed, whatever the flusher does.
   *
   * Rejects with `ERR_POISONED` (it has failed, now or before), the signal's reason, `ERR_TRANSACTION_OPEN` (inside a delta's function or a call of the flusher),
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

  /** {@link WriteCoordinator.close}, unless that has been called: then it waits for its end, of which that call tells. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#coordination.turns.within(() => this.#coordination.dispose())
  }
}

function flushedRank(level: unknown): FlushedRank {
  const rank = rankOf(level, 'level')
  if (rank === 0) throw invalidArgument('level', "'written' or 'durable' is needed")
  return rank
}
