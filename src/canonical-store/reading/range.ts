// The lazy view that `range()` returns: each iteration opens a separate cursor at its first step, at the reader's present point.
import type { Range } from '../api/collection.ts'
import type { KeyBounds } from '../key-bounds.ts'
import type { KeySpace } from '../key-space.ts'
import type { Cursor } from './cursor.ts'

/** What a range reads from. */
export interface RangeSource {
  /** Itself, or the transaction that reads have to go through now. */
  current(): RangeSource
  /** @throws `ERR_CLOSED` or `ERR_TRANSACTION_FINISHED` after its end */
  check(): void
  openCursor<K, V>(space: KeySpace<K, V>, bounds: KeyBounds, keysOnly: boolean): Cursor<K, V>
  count<K, V>(space: KeySpace<K, V>, bounds: KeyBounds): number
}

/** A view of the entries between two bounds. */
export class EmbeddedRange<K, V> implements Range<K, V> {
  readonly #source: RangeSource
  readonly #space: KeySpace<K, V>
  readonly #bounds: KeyBounds

  constructor(source: RangeSource, space: KeySpace<K, V>, bounds: KeyBounds) {
    this.#source = source
    this.#space = space
    this.#bounds = bounds
  }

  [Symbol.iterator](): IterableIterator<[key: K, value: V]> {
    return this.#iterate((cursor) => cursor.entry(), false)
  }

  keys(): Iterable<K> {
    return { [Symbol.iterator]: () => this.#iterate((cursor) => cursor.key(), true) }
  }

  values(): Iterable<V> {
    return { [Symbol.iterator]: () => this.#iterate((cursor) => cursor.value(), false) }
  }

  count(): number {
    const source = this.#source.current()
    source.check()
    return this.#bounds.isEmpty ? 0 : source.count(this.#space, this.#bounds)
  }

  toArray(): [key: K, value: V][] {
    const source = this.#source.current()
    source.check()
    if (this.#bounds.isEmpty) return []
    const entries: [K, V][] = []
    const cursor = source.openCursor(this.#space, this.#bounds, false)
    try {
      while (cursor.advance()) {
        entries.push(cursor.entry())
        source.check() // a codec may have run any code
      }
    } finally {
      cursor.close()
    }
    return entries
  }

  #iterate<T>(pick: (cursor: Cursor<K, V>) => T, keysOnly: boolean): IterableIterator<T> {
    return new RangeIterator(this.#source, this.#space, this.#bounds, pick, keysOnly)
  }
}

/** One iteration. A class and not a generator, which takes twice the time for each entry. */
class RangeIterator<K, V, T> implements IterableIterator<T> {
  readonly #space: KeySpace<K, V>
  readonly #bounds: KeyBounds
  readonly #pick: (cursor: Cursor<K, V>) => T
  readonly #keysOnly: boolean
  #source: RangeSource
  #cursor: Cursor<K, V> | undefined
  #isDone = false

  constructor(source: RangeSource, space: KeySpace<K, V>, bounds: KeyBounds, pick: (cursor: Cursor<K, V>) => T, keysOnly: boolean) {
    this.#source = source
    this.#space = space
    this.#bounds = bounds
    this.#pick = pick
    this.#keysOnly = keysOnly
  }

  next(): IteratorResult<T, undefined> {
    if (this.#isDone) return { value: undefined, done: true }
    try {
      const cursor = this.#cursor ?? this.#open()
      this.#source.check()
      if (cursor?.advance() === true) return { value: this.#pick(cursor), done: false }
    } catch (error) {
      this.#finish()
      throw error
    }
    this.#finish()
    return { value: undefined, done: true }
  }

  return(): IteratorResult<T, undefined> {
    this.#finish()
    return { value: undefined, done: true }
  }

  [Symbol.iterator](): this {
    return this
  }

  #open(): Cursor<K, V> | undefined {
    this.#source = this.#source.current()
    this.#source.check()
    if (!this.#bounds.isEmpty) this.#cursor = this.#source.openCursor(this.#space, this.#bounds, this.#keysOnly)
    return this.#cursor
  }

  #finish(): void {
    this.#isDone = true
    this.#cursor?.close()
    this.#cursor = undefined
  }
}
