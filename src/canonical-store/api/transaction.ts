// A transaction in one phase as its users see it: interfaces only.
import type { EventId } from '../../event-log/log-types.ts'
import type { Collection, KeyRange } from './collection.ts'
import type { WriteHandle } from './commit.ts'
import type { Reader } from './reader.ts'

/**
 * What a transaction's function works with. Reads see its own writes. A call that fails has written nothing; if the function catches the error, the transaction
 * goes on. After the end every call is `ERR_TRANSACTION_FINISHED`.
 */
export interface Transaction<E> extends Reader {
  /**
   * Writes a value; an empty value is a value too.
   *
   * @example
   * ```ts
   * await store.transact((tx) => {
   *   const { owner, cents } = tx.get(accounts, 'anna') ?? { owner: 'Anna', cents: 0 }
   *   tx.put(accounts, 'anna', { owner, cents: cents + 100 })
   * })
   * ```
   */
  put<K, V, In>(into: Collection<K, V, In>, key: NoInfer<K>, value: NoInfer<In>): void
  /**
   * Deletes a key and returns whether it existed; if not, nothing is written.
   *
   * @example
   * ```ts
   * const { result: wasThere } = await store.transact((tx) => tx.delete(accounts, 'ben'))
   * ```
   */
  delete<K, V>(from: Collection<K, V, never>, key: NoInfer<K>): boolean
  /**
   * Deletes every key of a range and returns their number. `ERR_LIMIT` (`transactionBytes`) when there are too many for one transaction.
   *
   * @example
   * ```ts
   * const { result: deleted } = await store.transact((tx) => tx.deleteRange(accounts, { prefix: 'b' }))
   * ```
   */
  deleteRange<K, V>(from: Collection<K, V, never>, range: Omit<KeyRange<NoInfer<K>>, 'reverse' | 'limit'>): number
  /**
   * Appends an event and returns the id that it will have. An abort uses up no id.
   *
   * @example
   * ```ts
   * const { result: id } = await store.transact((tx) => {
   *   tx.put(accounts, 'ben', { owner: 'Ben', cents: 200 })
   *   return tx.append({ account: 'ben', cents: 200 })
   * })
   * ```
   */
  append(event: E): EventId
  /**
   * Appends events, all or none, and returns their ids; `undefined` for none.
   *
   * @example
   * ```ts
   * const bookings = [{ account: 'anna', cents: -50 }, { account: 'ben', cents: 50 }]
   * const { result: ids } = await store.transact((tx) => tx.appendAll(bookings))
   * console.log(ids?.first, ids?.last)
   * ```
   */
  appendAll(events: readonly E[]): { first: EventId; last: EventId } | undefined
}

/** A transaction in the explicit form. If it is still open when the next microtask runs (at the first `await`), it is aborted. */
export interface WriteTxn<E> extends Transaction<E>, Disposable {
  /**
   * Applies what was written.
   *
   * @example
   * ```ts
   * const tx = store.writeTxn()
   * tx.put(accounts, 'carl', { owner: 'Carl', cents: 0 })
   * const handle = tx.commit() // before the first await, which would abort it
   * await handle.wait()
   * ```
   */
  commit(): WriteHandle<void>
  /**
   * Ends it without writing anything; after the end it does nothing.
   *
   * @example
   * ```ts
   * const tx = store.writeTxn()
   * tx.delete(accounts, 'anna')
   * tx.abort()
   * console.log(accounts.has('anna')) // true
   * ```
   */
  abort(): void
}

/** Turns a promise returned by a synchronous callback into a compile error that says why. */
export type Sync<T> = T extends PromiseLike<unknown> ? { 'a transaction callback is synchronous; await in a preflight': never } : T
