// The transaction that is open on a thread, as the store and its handles see it: reads go through it, writes beside it are refused, and its turn's end
// ends it. `writing/open-transaction.ts` implements it.
import type { LedgerstoneError } from '../errors.ts'
import type { KeySpace } from './key-space.ts'
import type { RangeSource } from './reading/range.ts'

/** The one transaction that is open in a store on this thread. */
export interface RunningTransaction extends RangeSource {
  /** The handle that began it. */
  readonly handle: object
  /** How many writes were begun beside it. */
  readonly refusals: number
  get<K, V>(space: KeySpace<K, V>, key: K): V | undefined
  getMany<K, V>(space: KeySpace<K, V>, keys: readonly K[]): (V | undefined)[]
  has<K, V>(space: KeySpace<K, V>, key: K): boolean
  /** It will not be applied, whatever its function does from now on. */
  doom(reason: LedgerstoneError): void
  /** A write was begun beside it. The error is that write's, and its own end. */
  refuse(): LedgerstoneError
  hasRefused(error: unknown): boolean
  /** A promise that has been rejected by {@link refuse}: when the transaction tells its caller, nobody has to listen to that one too. */
  tellFor(refused: Promise<unknown>): void
  /** Ends it without a trace; harmless after its end. */
  abort(): void
  /** The turn has ended, and nobody has ended it. */
  abandon(): void
}
