// Three-phase transactions as their users see them: interfaces only. A preflight checks under locks and may be asynchronous; then the transaction runs at once,
// as every transaction does.
import type { KeyRef } from '../../lock-manager/locks.ts'
import type { KeyRange } from './collection.ts'
import type { SignalOptions, WriteOptions } from './commit.ts'
import type { Reader } from './reader.ts'
import type { Sync, Transaction } from './transaction.ts'

/** The keys that a preflight reads and that the transaction is going to write. A key named in both is locked exclusively. */
export interface KeySet {
  /** Locked together with other readers: keys (`collection.key(k)`). Spans of keys (`collection.keys(range)`) are not locked, only validated. */
  read?: readonly KeyRef[] | undefined
  /** Locked exclusively: keys. */
  write?: readonly KeyRef[] | undefined
}

/**
 * What a preflight reads through: its declared keys, those to be written included, at one point in time. Any other key is `ERR_UNDECLARED_KEY`. After the
 * preflight's end every call is `ERR_TRANSACTION_FINISHED`.
 */
export interface PreflightContext extends Reader {
  /** Aborts when the result is no longer wanted: with the reason of the caller's signal, or with `ERR_CLOSED` when the store is closed. */
  readonly signal: AbortSignal
  /**
   * Ends the transaction with `ERR_PREFLIGHT_REJECTED`, which carries these messages; nothing is written. Also if the error that this throws is caught.
   *
   * @example
   * ```ts
   * const { valid, errors } = await store.check({
   *   keys: { read: [accounts.key('anna')] },
   *   preflight: (ctx) => {
   *     const cents = ctx.get(accounts, 'anna')?.cents ?? 0
   *     if (cents < 5000) ctx.reject(`anna has ${cents} cents`)
   *   },
   * })
   * console.log(valid, errors) // false [ 'anna has 1000 cents' ]
   * ```
   */
  reject(...errors: [string, ...string[]]): never
}

/** The first phase: what {@link CanonicalStore.check} runs alone. */
export interface Checks<P> {
  /** The keys, or a function that returns them and is called at each attempt. */
  keys: KeySet | (() => KeySet)
  /** Runs while the locks are held, beside every transaction that shares none of them; may be asynchronous. Its result is passed to `apply`. */
  preflight: (ctx: PreflightContext) => P | PromiseLike<P>
}

/** A transaction in three phases: locks and preflight, validation, `apply`. */
export interface Phases<E, P, T> extends Checks<P> {
  /** Synchronous, the only writer; reads and writes any key. Runs once, when what the preflight has read is unchanged. */
  apply: (tx: Transaction<E>, checked: NoInfer<P>) => Sync<T>
}

/** How long to wait. */
export interface CheckOptions extends SignalOptions {
  /** For the locks, in ms, all attempts together: an integer from 0 (now or `ERR_LOCK_TIMEOUT`). @default 5000 */
  timeoutMs?: number | undefined
}
/** {@link WriteOptions}, and how long to wait for locks. */
export interface PhasesOptions extends WriteOptions, CheckOptions {}

/** A declared key, or span of keys. */
export interface DeclaredKey {
  /** The collection's name. */
  collection: string
  /** Absent for a span. */
  key?: unknown
  /** The span; absent for a key. */
  range?: KeyRange<unknown>
}

/** The result of {@link CanonicalStore.check}. */
export interface CheckReport {
  /** Whether the preflight did not reject. */
  valid: boolean
  /** The messages that it rejected with; empty when it did not. */
  errors: readonly string[]
  /** The keys declared for reading. */
  readKeys: readonly DeclaredKey[]
  /** The keys declared for writing. */
  writeKeys: readonly DeclaredKey[]
}
