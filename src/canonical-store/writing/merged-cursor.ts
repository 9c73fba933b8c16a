// A pass over a range inside a transaction: committed entries and the transaction's own writes, merged in the order of the range. Where both have a key, the
// transaction's own write counts, also if it is a delete.
import { readUtf8 } from '../../internal/bytes.ts'
import type { Environment } from '../../native/environment.ts'
import type { KeyBounds } from '../key-bounds.ts'
import type { KeySpace } from '../key-space.ts'
import type { Cursor } from '../reading/cursor.ts'
import type { OwnWrites } from './overlay.ts'
import type { WriteSet } from './write-set.ts'

interface OwnWrite {
  readonly key: string
  readonly at: number
}

/** The parts of a pass. */
export interface MergeParts<K, V> {
  readonly committed: Cursor<K, V>
  readonly own: OwnWrites
  readonly writes: WriteSet
  readonly space: KeySpace<K, V>
  /** As the caller passed them: `committed` and `own` may begin later, after what the transaction has deleted. */
  readonly bounds: KeyBounds
  readonly environment: Environment
}

/** Merges a pass over committed entries with writes in the same order. */
export class MergedCursor<K, V> implements Cursor<K, V> {
  readonly #parts: MergeParts<K, V>
  #left: number
  /** `undefined`: not read yet; null: at its end. */
  #committedKey: string | null | undefined
  /** The current entry, if it is the transaction's own. */
  #current: OwnWrite | undefined
  /** Deleted keys before the first entry; -1 after it. */
  #passed = 0
  #lastPassed = ''

  constructor(parts: MergeParts<K, V>) {
    this.#parts = parts
    this.#left = parts.bounds.limit
  }

  advance(): boolean {
    const isThere = this.#left > 0 && this.#next()
    // The limit is reached: writes from here on need not be kept from this pass.
    if (this.#left === 0) this.#parts.own.close()
    if (this.#passed >= 0) {
      const { own, bounds } = this.#parts
      if (this.#passed > 0) own.noteGone(bounds, this.#passed, isThere ? this.keyBytes() : this.#lastPassed, !isThere)
      this.#passed = -1
    }
    return isThere
  }

  #next(): boolean {
    const { committed, own, writes } = this.#parts
    for (;;) {
      if (this.#committedKey === undefined) this.#committedKey = committed.advance() ? committed.keyBytes() : null
      const theirs = this.#committedKey
      const { key } = own
      if (key === undefined || (theirs !== null && this.#isBefore(theirs, key))) {
        if (theirs === null) return false
        this.#current = undefined
        break
      }
      const { record } = own
      own.advance()
      if (key === theirs) this.#committedKey = undefined // the transaction has overwritten it
      if (!writes.isPut(record)) {
        if (this.#passed >= 0) {
          this.#passed++
          this.#lastPassed = key
        }
        continue
      }
      this.#current = { key, at: record }
      this.#left--
      return true
    }
    this.#committedKey = undefined
    this.#left--
    return true
  }

  key(): K {
    const own = this.#current
    const { committed, writes, space, environment } = this.#parts
    if (own === undefined) return committed.key()
    const { buffer } = writes
    const start = writes.keyStart(own.at)
    const end = writes.valueStart(own.at)
    if (space.keysAreText) return space.keyFromText(readUtf8(buffer, start, end))
    return space.keyFromBytes(environment.slab.copy(buffer, start, end))
  }

  entry(): [key: K, value: V] {
    const own = this.#current
    const { committed, writes, space, environment } = this.#parts
    if (own === undefined) return committed.entry()
    const { values } = space
    const start = writes.valueStart(own.at)
    const end = writes.valueEnd(own.at)
    if (values.isText) {
      const text = readUtf8(writes.buffer, start, end)
      return [this.key(), values.fromText(text)]
    }
    const bytes = environment.slab.copy(writes.buffer, start, end)
    return [this.key(), values.fromBytes(bytes)]
  }

  value(): V {
    const own = this.#current
    const { committed, writes, space, environment } = this.#parts
    return own === undefined ? committed.value() : ownValue(space, writes, own.at, environment)
  }

  keyBytes(): string {
    return this.#current?.key ?? this.#parts.committed.keyBytes()
  }

  close(): void {
    this.#parts.committed.close()
    this.#parts.own.close()
  }

  #isBefore(committed: string, own: string): boolean {
    return this.#parts.bounds.reverse ? committed > own : committed < own
  }
}

/** The value of a put in a write set. Bytes are copied, as the write set will be used again. */
export function ownValue<K, V>(space: KeySpace<K, V>, writes: WriteSet, at: number, environment: Environment): V {
  const { values } = space
  const start = writes.valueStart(at)
  const end = writes.valueEnd(at)
  return values.isText ? values.fromText(readUtf8(writes.buffer, start, end)) : values.fromBytes(environment.slab.copy(writes.buffer, start, end))
}
