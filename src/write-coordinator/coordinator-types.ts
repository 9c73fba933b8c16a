// The write coordinator as its users see it: interfaces only. The words are those of the Rust crate `ledgerstone-write-coordinator`.
import type { SignalOptions } from '../canonical-store/api/commit.ts'
import type { Pause } from '../canonical-store/api/pause.ts'
import type { Durability } from '../durability.ts'

export type { Durability, Pause, SignalOptions }

/**
 * The types that go through one coordinator, as one parameter. They are the user's own, and go through without a cast.
 *
 * @example
 * ```ts
 * interface Sales extends CoordinatorTypes {
 *   Context: undefined
 *   Write: { item: string; amount: number }
 *   ApplyResult: number // the item's total in this delta
 *   Frozen: ReadonlyMap<string, number>
 *   FrozenView: ReadonlyMap<string, number>
 *   DeltaView: ReadonlyMap<string, number>
 *   Snapshot: ReadonlyMap<string, number>
 * }
 * ```
 */
export interface CoordinatorTypes {
  /** What one delta hands to the next: the last id, open connections, a schema. */
  Context: unknown
  /** What is written. */
  Write: unknown
  /** What applying a write gives. */
  ApplyResult: unknown
  /** A delta that has ended, as the flusher stores it. */
  Frozen: unknown
  /** The same as readers see it. */
  FrozenView: unknown
  /** A delta that takes writes, as readers see it. */
  DeltaView: unknown
  /** What is stored, as readers see it. */
  Snapshot: unknown
}

/**
 * A batch in the making: the writes applied since the last freeze. Its methods are synchronous and may not call the coordinator.
 *
 * @example
 * ```ts
 * class Totals implements Delta<Sales> {
 *   readonly #totals = new Map<string, number>()
 *
 *   apply({ item, amount }: Sales['Write']): number {
 *     const total = (this.#totals.get(item) ?? 0) + amount
 *     this.#totals.set(item, total)
 *     return total
 *   }
 *
 *   estimateSize(): number {
 *     return this.#totals.size * 64
 *   }
 *
 *   freeze(): { frozen: Sales['Frozen']; view: Sales['FrozenView']; context: undefined } {
 *     return { frozen: this.#totals, view: this.#totals, context: undefined }
 *   }
 *
 *   reader(): Sales['DeltaView'] {
 *     return this.#totals
 *   }
 * }
 * ```
 */
export interface Delta<T extends CoordinatorTypes> {
  /** Applies the whole write, or throws and leaves the delta as it was. A promise as its result ends the coordinator. Runs in the async context of the write. */
  apply(write: T['Write']): T['ApplyResult']
  /** In bytes, from 0; may only grow. Called after each write: keep a sum. */
  estimateSize(): number
  /** Ends the delta; called once. The next delta is made with `context`. */
  freeze(): { frozen: T['Frozen']; view: T['FrozenView']; context: T['Context'] }
  /** Called once for each delta. Its result shows each write until `freeze`, and does not change after that. */
  reader(): T['DeltaView']
}

/** Epochs are the numbers of applied writes, from 1. `end` is exclusive. */
export interface EpochRange {
  readonly start: number
  readonly end: number
}

/**
 * A value, and the epochs of the writes in it.
 *
 * @example
 * ```ts
 * for (const { value, epochs } of coordinator.view().frozen) {
 *   console.log(`${epochs.end - epochs.start} writes wait to be stored, with ${value.size} items`)
 * }
 * ```
 */
export interface EpochStamped<V> {
  readonly value: V
  readonly epochs: EpochRange
}

/**
 * How deltas are stored: one call at a time, in the order of the epochs. A call that fails ends the coordinator, unless its error's `retryable` is true and
 * {@link CoordinatorOptions.retry} allows another attempt. So `flushDelta` must cope with what a failed attempt has stored. Epochs name a batch within one
 * coordinator only: the next one begins at 1 again.
 *
 * From inside a call, `flush`, `pause`, `close` and waiting for a level would wait for that same call, and reject with `ERR_TRANSACTION_OPEN`. `write` waits for
 * room as usual.
 *
 * @example
 * ```ts
 * import { randomUUID } from 'node:crypto'
 *
 * const run = randomUUID()
 * const flusher: Flusher<Sales> = {
 *   async flushDelta(totals, { start }, { signal }) {
 *     await table.add(`${run} ${start}`, totals, { signal }) // under a name, so that the table does not add a batch twice
 *     return table.totals()
 *   },
 *   async flushStorage() {
 *     await table.checkpoint()
 *   },
 * }
 * ```
 */
export interface Flusher<T extends CoordinatorTypes> {
  /**
   * Stores a delta. When it resolves, the delta's writes are `written`. Its result becomes the {@link View.snapshot}, and has to show them. `signal` aborts when
   * the coordinator fails, or a `close` is given up.
   */
  flushDelta(frozen: T['Frozen'], epochs: EpochRange, options: { signal: AbortSignal }): Promise<T['Snapshot']>
  /** Makes durable all that `flushDelta` has stored. Called when a caller waits for `durable`, and by `close`. */
  flushStorage(options: { signal: AbortSignal }): Promise<void>
}

/**
 * One point in time: every applied write is in exactly one of `current`, `frozen` and `snapshot`. The newest writes are in `current`, the oldest in `snapshot`.
 * `current` goes on with its delta until that is frozen; the rest never changes.
 *
 * @example
 * ```ts
 * const { current, frozen, snapshot } = coordinator.view()
 * const layers = [current, ...frozen.map(({ value }) => value), snapshot]
 * const sold = layers.reduce((sum, layer) => sum + (layer.get('tea') ?? 0), 0)
 * ```
 */
export interface View<T extends CoordinatorTypes> {
  readonly current: T['DeltaView']
  /** Newest first. */
  readonly frozen: readonly EpochStamped<T['FrozenView']>[]
  readonly snapshot: T['Snapshot']
  /** The last epoch of each level, 0 for none. */
  readonly epochs: { readonly applied: number; readonly written: number; readonly durable: number }
}

/**
 * A write that has been applied.
 *
 * @example
 * ```ts
 * const handle = await coordinator.write({ item: 'tea', amount: 2 })
 * console.log(handle.epoch, handle.result) // applied: every view shows it
 * await handle.wait('durable') // stored, and the storage flushed
 * ```
 */
export interface EpochHandle<R> {
  /** The number of the write. */
  readonly epoch: number
  /** What `apply` returned. */
  readonly result: R
  /**
   * Resolves to the result when the write has reached `level`, by default the coordinator's. Asks for the flush that this takes; all waiters share it. An aborted
   * signal ends the waiting only.
   *
   * Rejects with `ERR_POISONED` (the coordinator failed, the write will not reach the level), the signal's reason, `ERR_TRANSACTION_OPEN` (inside a call of the
   * flusher, which it would wait for), `ERR_INVALID_ARGUMENT`.
   */
  wait(level?: Durability, options?: SignalOptions): Promise<R>
}

/** How a {@link WriteCoordinator} works. */
export interface CoordinatorOptions<T extends CoordinatorTypes> {
  /** Makes an empty delta: in the constructor from `context`, and after each freeze from the context that `freeze` returned. */
  init: (context: T['Context']) => Delta<T>
  /** For the first delta. */
  context: T['Context']
  /** What is stored before anything is written. */
  snapshot: T['Snapshot']
  flusher: Flusher<T>
  /** When a delta is frozen although no caller waits for it: whichever comes first. */
  flush?:
    | {
        /** At so many bytes. @default 64 MiB */
        bytes?: number | undefined
        /** So many ms after its first write, up to 2^31-1, or when the flush that runs then has ended. @default 1000 */
        intervalMs?: number | undefined
        /** At so many writes; no delta has more. @default none */
        writes?: number | undefined
      }
    | undefined
  /** Bytes that are applied and not written: from this on writes wait. A write is let in below it, so one write can exceed it. @default 4 x flush.bytes */
  maxPendingBytes?: number | undefined
  /** What `wait()` waits for. @default 'durable' */
  durability?: Durability | undefined
  /**
   * For calls of the flusher that fail with an error whose `retryable` is true. The wait between two attempts is random: from a half to the whole of
   * `minDelayMs`, which doubles each time up to `maxDelayMs`.
   *
   * @default none
   */
  retry?:
    | {
        /** How often a call is made at most: an integer from 1. */
        attempts: number
        /** The longest wait before the second attempt, in ms. @default 10 */
        minDelayMs?: number | undefined
        /** No wait is longer, in ms. @default 1000 */
        maxDelayMs?: number | undefined
      }
    | undefined
}

/** A coordinator in figures. */
export interface CoordinatorStats {
  /** The last epoch of each level, 0 for none. */
  epochs: { applied: number; written: number; durable: number }
  /** Bytes that are applied and not written. */
  pendingBytes: number
  /** Deltas that are frozen and not written. */
  frozen: number
  /** Writes that wait for room, or for the end of a pause. */
  waiting: number
  /** Deltas that have been flushed. */
  flushes: number
  /** How often the storage has been made durable. */
  storageFlushes: number
  /** How long the last flush of a delta took, its retries included, in ms. */
  lastFlushMs: number
}

/** How long a write, or a pause, waits. */
export interface WaitOptions extends SignalOptions {
  /** In ms, up to 2^31-1. @default none for a write, 30000 for a pause */
  timeoutMs?: number | undefined
}
