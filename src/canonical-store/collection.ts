// A collection as users hold it: a key space with the reads and single writes of its own store.
import type { CommitInfo, Collection, KeyRange, KeyRef, Range, WriteOptions } from './api/canonical-store.ts'
import { invalidArgument } from '../errors.ts'
import { KeyBounds, RANGE_OPTIONS } from './key-bounds.ts'
import { EmbeddedKeyRef, EmbeddedKeySpan } from './key-ref.ts'
import type { KeySpace } from './key-space.ts'
import { EmbeddedRange } from './reading/range.ts'
import type { Writer } from './writing/writer.ts'

const SPACE: unique symbol = Symbol.for('ledgerstone.KeySpace') as never

/** A collection of an embedded store. */
export class EmbeddedCollection<K, V, In> implements Collection<K, V, In> {
  readonly name: string
  readonly #space: KeySpace<K, V>
  readonly #writer: Writer

  constructor(space: KeySpace<K, V>, writer: Writer) {
    this.name = space.name
    this.#space = space
    this.#writer = writer
  }

  /** For the other copies of this package in the thread. @internal */
  get [SPACE](): unknown {
    return this.#space
  }

  /** The key space behind a collection, if it is one of ours. */
  static spaceOf(collection: unknown): unknown {
    if (typeof collection === 'object' && collection !== null) {
      if (#space in collection) return (collection as EmbeddedCollection<unknown, unknown, unknown>).#space
      const space = (collection as { readonly [SPACE]?: unknown })[SPACE]
      if (space !== undefined) return space
    }
    throw invalidArgument('collection', 'a collection is needed, as `store.collection()` or `store.state` gives it')
  }

  get(key: K): V | undefined {
    return this.#space.handle.get(this.#space, key)
  }

  getMany(keys: readonly K[]): (V | undefined)[] {
    return this.#space.handle.getMany(this.#space, keys)
  }

  has(key: K): boolean {
    return this.#space.handle.has(this.#space, key)
  }

  range(range?: KeyRange<K>): Range<K, V> {
    const space = this.#space
    space.handle.check()
    return new EmbeddedRange(space.handle, space, KeyBounds.of(space, range, RANGE_OPTIONS))
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
    return EmbeddedKeySpan.of(this.#space, KeyBounds.of(this.#space, range, RANGE_OPTIONS), range)
  }
}

/**
 * The key space behind a collection.
 *
 * @throws `ERR_INVALID_ARGUMENT` when it is no collection
 */
export function spaceOf<K, V>(collection: Collection<K, V, never>): KeySpace<K, V> {
  return EmbeddedCollection.spaceOf(collection) as KeySpace<K, V>
}
