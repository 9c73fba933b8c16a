// A pass over a range inside a transaction: what is committed and what the transaction has written itself, merged in the order of the range.
// Where both have a key the transaction's own write counts, a delete included.
import { readUtf8 } from '../internal/bytes.ts'
import type { Cursor } from './cursor.ts'
import type { Environment } from './environment.ts'
import type { KeyBounds } from './key-bounds.ts'
import type { KeySpace } from './key-space.ts'
import type { OwnWrite } from './overlay.ts'
import type { WriteSet } from './write-set.ts'

/** Merges a pass over committed entries with writes in the same order. */
export class MergedCursor<K, V> implements Cursor<K, V> {
  readonly #committed: Cursor<K, V>
  readonly #own: readonly OwnWrite[]
  readonly #writes: WriteSet
  readonly #space: KeySpace<K, V>
  readonly #environment: Environment
  readonly #reverse: boolean
  #left: number
  #ownAt = 0
  /** `undefined`: not looked at yet; null: at its end. */
  #committedKey: string | null | undefined
  /** The entry that the pass stands at, when it is the transaction's own. */
  #current: OwnWrite | undefined

  constructor(committed: Cursor<K, V>, own: readonly OwnWrite[], writes: WriteSet, space: KeySpace<K, V>, bounds: KeyBounds, environment: Environment) {
    this.#committed = committed
    this.#own = own
    this.#writes = writes
    this.#space = space
    this.#environment = environment
    this.#reverse = bounds.reverse
    this.#left = bounds.limit
  }

  advance(): boolean {
    if (this.#left <= 0) return false
    for (;;) {
      if (this.#committedKey === undefined) this.#committedKey = this.#committed.advance() ? this.#committed.keyBytes() : null
      const committed = this.#committedKey
      const own = this.#own[this.#ownAt]
      if (own === undefined || (committed !== null && this.#isBefore(committed, own.key))) {
        if (committed === null) return false
        this.#current = undefined
        break
      }
      this.#ownAt++
      if (own.key === committed) this.#committedKey = undefined // written over
      if (!this.#writes.isPut(own.at)) continue
      this.#current = own
      this.#left--
      return true
    }
    this.#committedKey = undefined
    this.#left--
    return true
  }

  key(): K {
    const own = this.#current
    if (own === undefined) return this.#committed.key()
    const { buffer } = this.#writes
    const start = this.#writes.keyStart(own.at)
    const end = this.#writes.valueStart(own.at)
    if (this.#space.keysAreText) return this.#space.keyFromText(readUtf8(buffer, start, end))
    return this.#space.keyFromBytes(this.#environment.slab.copy(buffer, start, end))
  }

  entry(): [key: K, value: V] {
    const own = this.#current
    if (own === undefined) return this.#committed.entry()
    const { values } = this.#space
    const start = this.#writes.valueStart(own.at)
    const end = this.#writes.valueEnd(own.at)
    if (values.isText) {
      const text = readUtf8(this.#writes.buffer, start, end)
      return [this.key(), values.fromText(text)]
    }
    const bytes = this.#environment.slab.copy(this.#writes.buffer, start, end)
    return [this.key(), values.fromBytes(bytes)]
  }

  value(): V {
    const own = this.#current
    return own === undefined ? this.#committed.value() : ownValue(this.#space, this.#writes, own.at, this.#environment)
  }

  keyBytes(): string {
    return this.#current?.key ?? this.#committed.keyBytes()
  }

  close(): void {
    this.#committed.close()
  }

  #isBefore(committed: string, own: string): boolean {
    return this.#reverse ? committed > own : committed < own
  }
}

/** The value of a put in a write set; bytes are copied, the write set will be used again. */
export function ownValue<K, V>(space: KeySpace<K, V>, writes: WriteSet, at: number, environment: Environment): V {
  const { values } = space
  const start = writes.valueStart(at)
  const end = writes.valueEnd(at)
  return values.isText ? values.fromText(readUtf8(writes.buffer, start, end)) : values.fromBytes(environment.slab.copy(writes.buffer, start, end))
}
