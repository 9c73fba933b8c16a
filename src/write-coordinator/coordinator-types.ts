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
 * interface Mine extends CoordinatorTypes {
 *   Context: undefined
 *   Write: { key: string; value: number }
 *   ApplyResult: number | undefined
 *   Frozen: ReadonlyMap<string, number>
 *   FrozenView: ReadonlyMap<string, number>
 *   DeltaView: ReadonlyMap<string, number>
 *   Snapshot: { rows: number }
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
 * A batch in the making: what has been applied since the last freeze. All of it is synchronous, and none of it may call the coordinator.
 *
 * @example
 * ```ts
 * class Totals implements Delta<Mine> {
 *   readonly #totals = new Map<string, number>()
 *   apply({ key, value }: Mine['Write']): number {
 *     const total = (this.#totals.get(key) ?? 0) + value
 *     this.#totals.set(key, total)
 *     return total
 *   }
 *   estimateSize(): number { return this.#totals.size * 64 }
 *   freeze(): { frozen: Mine['Frozen']; view: Mine['FrozenView']; context: undefined } { return { frozen: this.#totals, view: this.#totals, context: undefined } }
 *   reader(): Mine['DeltaView'] { return this.#totals }
 * }
 * ```
 */
export interface Delta<T extends CoordinatorTypes> {
  /** Applies the write whole, or throws and leaves the delta as it was; a promise as its result ends the coordinator. Runs in the async context of the write. */
  apply(write: T['Write']): T['ApplyResult']
  /** In bytes, from 0; may only grow. Asked after each write: keep a sum. */
  estimateSize(): number
  /** Ends the delta; called once. `context` is what the next delta is made with. */
  freeze(): { frozen: T['Frozen']; view: T['FrozenView']; context: T['Context'] }
  /** Called once for each delta; what it gives is live until `freeze`, and unchanged after it. */
  reader(): T['DeltaView']
}

/** Epochs are the numbers of applied writes, from 1. `end` is exclusive. */
export interface EpochRange {
  readonly start: number
  readonly end: number
}

/**
 * A value, and the writes that it is made of.
 *
 * @example
 * ```ts
 * for (const { value, epochs } of coordinator.view().frozen) console.log(`${epochs.end - epochs.start} writes on their way`, value)
 * ```
 */
export interface EpochStamped<V> {
  readonly value: V
  readonly epochs: EpochRange
}

/**
 * How deltas are stored. One call at a time, in the order of the epochs. A call that fails ends the coordinator, unless its error's `retryable` is true and
 * {@link CoordinatorOptions.retry} allows another try: a flush that is tried again must be able to meet what the last try has left.
 *
 * `flush`, `pause`, `close` and waiting for a level are refused while they would wait for the very call that they are made from; `write` is not, and waits
 * for room as usual.
 *
 * @example
 * ```ts
 * const flusher: Flusher<Mine> = {
 *   async flushDelta(frozen, { start, end }, { signal }) {
 *     await table.upsert([...frozen], { key: `${start}-${end}`, signal })
 *     return { rows: await table.count() }
 *   },
 *   async flushStorage() { await table.checkpoint() },
 * }
 * ```
 */
export interface Flusher<T extends CoordinatorTypes> {
  /** Stores a delta: then its writes are `written`, and what this resolves to is the {@link View.snapshot}, which has to hold them. `signal` aborts when a `close` is given up. */
  flushDelta(frozen: T['Frozen'], epochs: EpochRange, options: { signal: AbortSignal }): Promise<T['Snapshot']>
  /** Makes durable all that `flushDelta` has stored. Called when somebody waits for it, and at the end. */
  flushStorage(options: { signal: AbortSignal }): Promise<void>
}

/**
 * One point in time: every applied write is in exactly one of `current`, `frozen` and `snapshot`. Read them in this order; the first that knows a key is
 * right. `current` goes on with its delta until that is frozen; the rest never changes.
 *
 * @example
 * ```ts
 * const { current, frozen, snapshot } = coordinator.view()
 * const total = current.get('a') ?? frozen.find(({ value }) => value.has('a'))?.value.get('a') ?? await stored(snapshot, 'a')
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
 * const handle = await coordinator.write({ key: 'a', value: 1 })
 * console.log(handle.epoch, await handle.wait('durable'))
 * ```
 */
export interface EpochHandle<R> {
  /** Its number. */
  readonly epoch: number
  /** What `apply` gave. */
  readonly result: R
  /**
   * Resolves to the result when the write has come to the level, by default the coordinator's. Asks for the flush that this takes, which is shared by all
   * who wait. An aborted signal ends the waiting only.
   *
   * Rejects with `ERR_POISONED` (it has failed and will not come to the level), the signal's reason, `ERR_TRANSACTION_OPEN` (inside a call of the
   * flusher, which it would wait for), `ERR_INVALID_ARGUMENT`.
   */
  wait(level?: Durability, options?: SignalOptions): Promise<R>
}

/** How a {@link WriteCoordinator} works. */
export interface CoordinatorOptions<T extends CoordinatorTypes> {
  /** Makes an empty delta: once in the constructor, with `context`, and after each freeze with what that gave. */
  init: (context: T['Context']) => Delta<T>
  /** For the first delta. */
  context: T['Context']
  /** What is stored before anything is written. */
  snapshot: T['Snapshot']
  flusher: Flusher<T>
  /**
   * When a delta is frozen without being asked for: when it has so many bytes (default 64 MiB) or writes (no bound), or its first write is so old
   * (1,000 ms; up to 2^31-1) and no flush runs. A delta never has more than `writes`.
   */
  flush?: { bytes?: number | undefined; intervalMs?: number | undefined; writes?: number | undefined } | undefined
  /** What is applied and not written, in bytes: writes wait above it. A write is let in below it, so it can be exceeded by one. Default 4 x `flush.bytes`. */
  maxPendingBytes?: number | undefined
  /** What `wait()` waits for. Default 'durable'. */
  durability?: Durability | undefined
  /**
   * Of calls of the flusher that fail with an error whose `retryable` is true: `attempts` calls in all, a random time between them, from a half to the whole
   * of `minDelayMs` (10) doubled each time up to `maxDelayMs` (1,000). None by default.
   */
  retry?: { attempts: number; minDelayMs?: number | undefined; maxDelayMs?: number | undefined } | undefined
}

/** A coordinator in figures. */
export interface CoordinatorStats {
  /** The last epoch of each level, 0 for none. */
  epochs: { applied: number; written: number; durable: number }
  /** What is applied and not written, in bytes. */
  pendingBytes: number
  /** Deltas that are frozen and not written. */
  frozen: number
  /** Writes that wait for room, or for the end of a pause. */
  waiting: number
  /** Deltas that have been flushed. */
  flushes: number
  /** How often storage has been made durable. */
  storageFlushes: number
  /** How long the last flush of a delta took, its retries included, in ms. */
  lastFlushMs: number
}

/** How long a write, or a pause, waits. */
export interface WaitOptions extends SignalOptions {
  /** In ms, up to 2^31-1. */
  timeoutMs?: number | undefined
}
