// A collection as users hold it: a key space, with reads and single writes through the store that made it.
import { invalidArgument } from '../errors.ts'
import type { KeyRef } from '../lock-manager/locks.ts'
import type { Collection, KeyRange, Range } from './api/collection.ts'
import type { CommitInfo, WriteOptions } from './api/commit.ts'
import { KeyBounds, ownRange, RANGE_OPTIONS } from './key-bounds.ts'
import { EmbeddedKeyRef, EmbeddedKeySpan } from './key-ref.ts'
import type { KeySpace } from './key-space.ts'
import { EmbeddedRange } from './reading/range.ts'
import type { StoreHandle } from './store-handle.ts'

const SPACE: unique symbol = Symbol.for('ledgerstone.KeySpace') as never

/** Writes of one key, each in a separate commit. */
export interface SingleWrites {
  put<K, V>(space: KeySpace<K, V>, key: K, value: unknown, options: WriteOptions | undefined): Promise<CommitInfo>
  delete<K, V>(space: KeySpace<K, V>, key: K, options: WriteOptions | undefined): Promise<CommitInfo>
}

/** A collection of an embedded store. */
export class EmbeddedCollection<K, V, In> implements Collection<K, V, In> {
  readonly name: string
  readonly #handle: StoreHandle
  readonly #space: KeySpace<K, V>
  readonly #writer: SingleWrites

  constructor(handle: StoreHandle, space: KeySpace<K, V>, writer: SingleWrites) {
    this.name = space.name
    this.#handle = handle
    this.#space = space
    this.#writer = writer
  }

  /** The key space, also for other copies of this package in the thread. @internal */
  get [SPACE](): unknown {
    return this.#space
  }

  /** The key space of a collection made by this package. @throws `ERR_INVALID_ARGUMENT` for anything else */
  static spaceOf(collection: unknown): unknown {
    if (typeof collection === 'object' && collection !== null) {
      if (#space in collection) return (collection as EmbeddedCollection<unknown, unknown, unknown>).#space
      const space = (collection as { readonly [SPACE]?: unknown })[SPACE]
      if (space !== undefined) return space
    }
    throw invalidArgument('collection', 'a collection is needed, as `store.collection()` or `store.state` gives it')
  }

  get(key: K): V | undefined {
    return this.#handle.get(this.#space, key)
  }

  getMany(keys: readonly K[]): (V | undefined)[] {
    return this.#handle.getMany(this.#space, keys)
  }

  has(key: K): boolean {
    return this.#handle.has(this.#space, key)
  }

  range(range?: KeyRange<K>): Range<K, V> {
    this.#handle.check()
    return new EmbeddedRange(this.#handle, this.#space, KeyBounds.of(this.#space, range, RANGE_OPTIONS))
  }

  put(key: K, value: In, options?: WriteOptions): Promise<CommitInfo> {
    return this.#writer.put(this.#space, key, value, options)
  }

  delete(key: K, options?: WriteOptions): Promise<CommitInfo> {
    return this.#writer.delete(this.#space, key, options)
  }

  key(key: K): KeyRef {
    return EmbeddedKeyRef.of(this.#space, this.#space.key(key))
  }

  keys(range?: KeyRange<K>): KeyRef {
    const own = ownRange(range)
    return EmbeddedKeySpan.of(this.#space, KeyBounds.of(this.#space, own, RANGE_OPTIONS), own)
  }
}

/**
 * The key space behind a collection.
 *
 * @throws `ERR_INVALID_ARGUMENT` when it is not a collection
 */
export function spaceOf<K, V>(collection: Collection<K, V, never>): KeySpace<K, V> {
  return EmbeddedCollection.spaceOf(collection) as KeySpace<K, V>
}
