// The transaction that is open on a thread, as the store and its handles see it: reads go through it, other writes are refused, and the end of the turn ends it.
// `writing/open-transaction.ts` implements it.
import type { LedgerstoneError } from '../errors.ts'
import type { KeySpace } from './key-space.ts'
import type { RangeSource } from './reading/range.ts'

/** The one transaction that is open in a store on this thread. */
export interface RunningTransaction extends RangeSource {
  /** The handle that began it. */
  readonly handle: object
  /** How many other writes were attempted while it was open. */
  readonly refusals: number
  get<K, V>(space: KeySpace<K, V>, key: K): V | undefined
  getMany<K, V>(space: KeySpace<K, V>, keys: readonly K[]): (V | undefined)[]
  has<K, V>(space: KeySpace<K, V>, key: K): boolean
  /** From now on it will not be applied, whatever its function does. */
  doom(reason: LedgerstoneError): void
  /** Another write was attempted while it is open. Returns that write's error, which also dooms the transaction. */
  refuse(): LedgerstoneError
  hasRefused(error: unknown): boolean
  /** A promise that was rejected by {@link refuse}: once the transaction has reported to its caller, that rejection is not unhandled. */
  tellFor(refused: Promise<unknown>): void
  /** Ends it without writing anything; does nothing after its end. */
  abort(): void
  /** The turn has ended before the transaction. */
  abandon(): void
}
