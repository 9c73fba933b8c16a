// What stores, snapshots and transactions have in common for reading: interfaces only.
import type { Collection, KeyRange, Range } from './collection.ts'

/**
 * A store, a snapshot or a transaction, to read from. A missing value is `undefined`, and so is the value of a key that cannot exist (empty or too long). All
 * methods raise `ERR_INVALID_ARGUMENT` for a key of the wrong type or a collection of another store, `ERR_CODEC` for a key that cannot be encoded or bytes that
 * cannot be decoded, `ERR_CORRUPT`, `ERR_IO`, and `ERR_CLOSED` (`ERR_TRANSACTION_FINISHED`) after the end.
 */
export interface Reader {
  /**
   * The value of a key.
   *
   * @example
   * ```ts
   * await accounts.put('anna', { owner: 'Anna', cents: 5 })
   * console.log(store.get(accounts, 'anna')?.cents, snapshot.get(accounts, 'anna')?.cents) // 5 1000
   * ```
   */
  get<K, V>(from: Collection<K, V, never>, key: NoInfer<K>): V | undefined
  /**
   * The values of many keys, in the order of the keys, all at one point in time.
   *
   * @example
   * ```ts
   * const [anna, ben] = snapshot.getMany(accounts, ['anna', 'ben'])
   * ```
   */
  getMany<K, V>(from: Collection<K, V, never>, keys: readonly NoInfer<K>[]): (V | undefined)[]
  /**
   * Whether there is a value.
   *
   * @example
   * ```ts
   * await store.transact((tx) => {
   *   if (!tx.has(accounts, 'carl')) tx.put(accounts, 'carl', { owner: 'Carl', cents: 0 })
   * })
   * ```
   */
  has<K, V>(from: Collection<K, V, never>, key: NoInfer<K>): boolean
  /**
   * A view of the keys between two bounds; without bounds all keys. Nothing is read before it is iterated.
   *
   * @example
   * ```ts
   * const [richest] = [...snapshot.range(accounts).values()].sort((one, other) => other.cents - one.cents)
   * ```
   */
  range<K, V>(from: Collection<K, V, never>, range?: KeyRange<NoInfer<K>>): Range<K, V>
}
