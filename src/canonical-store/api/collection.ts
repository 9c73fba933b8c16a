// A collection as its users see it: a typed key space, and ranges of its keys. Interfaces only.
import type { KeyPrefix } from '../../codecs/codec.ts'
import type { KeyRef } from '../../lock-manager/locks.ts'
import type { CommitInfo, WriteOptions } from './commit.ts'

/** A typed key space of a store. Its value codec takes `In` and gives `V`. */
export interface Collection<K, V, In = V> {
  /** The name it is stored under. */
  readonly name: string
  /**
   * {@link Reader.get} of this collection.
   *
   * @example
   * ```ts
   * const anna = accounts.get('anna')
   * console.log(anna?.cents ?? 'no such account')
   * ```
   */
  get(key: K): V | undefined
  /**
   * {@link Reader.getMany} of this collection.
   *
   * @example
   * ```ts
   * const [anna, nobody] = accounts.getMany(['anna', 'nobody'])
   * console.log(anna?.owner, nobody) // Anna undefined
   * ```
   */
  getMany(keys: readonly K[]): (V | undefined)[]
  /**
   * {@link Reader.has} of this collection.
   *
   * @example
   * ```ts
   * if (!accounts.has('carl')) await accounts.put('carl', { owner: 'Carl', cents: 0 })
   * ```
   */
  has(key: K): boolean
  /**
   * {@link Reader.range} of this collection.
   *
   * @example
   * ```ts
   * for (const [id, { cents }] of accounts.range({ prefix: 'a' })) console.log(id, cents)
   * ```
   */
  range(range?: KeyRange<K>): Range<K, V>
  /**
   * Writes one value in a separate commit. Rejects with what {@link CanonicalStore.transact} rejects with, and with `ERR_INVALID_ARGUMENT` for an empty key or
   * one of the wrong type, `ERR_LIMIT`, `ERR_CODEC`, `ERR_VALIDATION`.
   *
   * @example
   * ```ts
   * const { seq } = await accounts.put('carl', { owner: 'Carl', cents: 0 }, { durability: 'written' })
   * console.log('commit', seq)
   * ```
   */
  put(key: K, value: In, options?: WriteOptions): Promise<CommitInfo>
  /**
   * Deletes one key in a separate commit. If the key is missing, the commit is empty.
   *
   * @example
   * ```ts
   * const { keysDeleted } = await accounts.delete('ben')
   * console.log(keysDeleted) // 1
   * ```
   */
  delete(key: K, options?: WriteOptions): Promise<CommitInfo>
  /**
   * Names a key without reading it, for locks and for the keys that a preflight declares.
   *
   * @example
   * ```ts
   * await store.locks.with({ write: [accounts.key('anna')] }, async () => {
   *   console.log('nobody else has the lock of anna')
   * })
   * ```
   */
  key(key: K): KeyRef
  /**
   * Names a span of keys that a preflight declares to `read`: it may then read any range and any key in it (`reverse` and `limit` do not matter). It takes no
   * lock; before `apply` it is validated that no entry of what was read has come, gone or changed.
   *
   * @example
   * ```ts
   * const { valid } = await store.check({
   *   keys: { read: [accounts.keys({ prefix: 'a' })] },
   *   preflight: (ctx) => ctx.range(accounts, { prefix: 'a' }).count(),
   * })
   * ```
   */
  keys(range?: KeyRange<K>): KeyRef
}

/**
 * Selects keys and their order. Lower bound: `gte` or `gt`; upper bound: `lt` or `lte`. Bounds may be any bytes, even ones that no key can have. A prefix and bounds
 * intersect; crossing bounds are an empty range.
 */
export interface KeyRange<K> {
  gte?: K | undefined
  gt?: K | undefined
  lt?: K | undefined
  lte?: K | undefined
  /** utf8 and binary keys: the bytes that a key begins with. */
  prefix?: KeyPrefix<K> | undefined
  /** From the last key to the first. @default false */
  reverse?: boolean | undefined
  /** How many entries at most: an integer >= 0, or Infinity. @default Infinity */
  limit?: number | undefined
}

/**
 * A lazy view that can be iterated again. Each iteration sees the point in time at which it started, complete and in order, even while others write. Leaving a
 * loop early releases what it held.
 */
export interface Range<K, V> extends Iterable<[key: K, value: V]> {
  /**
   * The keys alone; the values are not read.
   *
   * @example
   * ```ts
   * const ids = [...accounts.range().keys()]
   * ```
   */
  keys(): Iterable<K>
  /**
   * The values alone.
   *
   * @example
   * ```ts
   * let cents = 0
   * for (const account of accounts.range().values()) cents += account.cents
   * ```
   */
  values(): Iterable<V>
  /**
   * The present number of entries.
   *
   * @example
   * ```ts
   * console.log(accounts.range({ gte: 'b' }).count(), 'accounts from b on')
   * ```
   */
  count(): number
  /**
   * All present entries.
   *
   * @example
   * ```ts
   * const firstTen = accounts.range({ limit: 10 }).toArray()
   * ```
   */
  toArray(): [key: K, value: V][]
}
