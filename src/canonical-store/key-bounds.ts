// Where a range begins and ends, as bytes: the bounds and the prefix that the caller gave, intersected. Bytes are held as strings of one code
// unit each, which compare as the bytes do.
import type { KeyRange } from './canonical-store.ts'
import type { KeySpace } from './key-space.ts'
import { invalidArgument } from '../errors.ts'
import { readLatin1, utf8AsLatin1, writeLatin1 } from '../internal/bytes.ts'
import { checkBoolean, checkedLimit, checkOptions } from '../internal/validate.ts'

/** What a range may say, and what `deleteRange` may. */
export const RANGE_OPTIONS: ReadonlySet<string> = new Set(['gte', 'gt', 'lt', 'lte', 'prefix', 'reverse', 'limit'])
export const SPAN_OPTIONS: ReadonlySet<string> = new Set(['gte', 'gt', 'lt', 'lte', 'prefix'])

const HEAD_BYTES = 12
const HAS_LOWER = 1
const LOWER_IS_EXCLUSIVE = 2
const HAS_UPPER = 4
const UPPER_IS_INCLUSIVE = 8
const REVERSE = 16
const KEYS_ONLY = 32

/** Bounds, order and limit of a range. */
export class KeyBounds {
  readonly reverse: boolean
  /** Infinity: none. */
  readonly limit: number
  #lower: string | undefined
  #lowerIsExclusive = false
  #upper: string | undefined
  #upperIsInclusive = false
  readonly #packed: Buffer

  private constructor(space: KeySpace<unknown, unknown>, range: KeyRange<unknown> | undefined, known: ReadonlySet<string>) {
    checkOptions(range, known, 'range')
    const { gte, gt, lt, lte, prefix, reverse, limit } = range ?? {}
    if (gte !== undefined && gt !== undefined) throw invalidArgument('range.gt', 'a range begins with gte or gt, not both')
    if (lte !== undefined && lt !== undefined) throw invalidArgument('range.lt', 'a range ends with lte or lt, not both')
    checkBoolean(reverse, 'range.reverse')
    this.limit = checkedLimit(limit, 'range.limit')
    this.reverse = reverse === true
    if (gte !== undefined || gt !== undefined) {
      this.#lower = bytesOf(space.key(gte ?? gt))
      this.#lowerIsExclusive = gt !== undefined
    }
    if (lte !== undefined || lt !== undefined) {
      this.#upper = bytesOf(space.key(lte ?? lt))
      this.#upperIsInclusive = lte !== undefined
    }
    if (prefix !== undefined) this.#intersect(bytesOf(space.prefix(prefix)))
    // No key is empty: a lower bound that is says nothing, and LMDB does not take it.
    if (this.#lower === '') this.#lower = undefined
    this.#packed = this.#pack()
  }

  /** @throws `ERR_INVALID_ARGUMENT` for what a range cannot say, `ERR_CODEC` for a bound that cannot be encoded */
  static of<K, V>(space: KeySpace<K, V>, range: KeyRange<K> | undefined, known: ReadonlySet<string>): KeyBounds {
    return new KeyBounds(space, range, known)
  }

  /** Nothing can lie between the bounds. */
  get isEmpty(): boolean {
    if (this.limit === 0 || this.#upper === '') return true
    if (this.#lower === undefined || this.#upper === undefined) return false
    return this.#lower > this.#upper || (this.#lower === this.#upper && (this.#lowerIsExclusive || !this.#upperIsInclusive))
  }

  /** The form that native code takes. */
  packed(keysOnly: boolean): Buffer {
    const flags = this.#packed[0] as number
    this.#packed[0] = keysOnly ? flags | KEYS_ONLY : flags & ~KEYS_ONLY
    return this.#packed
  }

  /** Of sorted keys, those between the bounds: from the first index to the second, exclusive. */
  slice(sorted: readonly string[]): [from: number, to: number] {
    const lower = this.#lower
    const upper = this.#upper
    const from = lower === undefined ? 0 : indexOf(sorted, lower, this.#lowerIsExclusive)
    const to = upper === undefined ? sorted.length : indexOf(sorted, upper, this.#upperIsInclusive)
    return [from, Math.max(from, to)]
  }

  /** Whether a key is between the bounds. */
  includes(key: string): boolean {
    const lower = this.#lower
    const upper = this.#upper
    return (lower === undefined || key > lower || (key === lower && !this.#lowerIsExclusive))
      && (upper === undefined || key < upper || (key === upper && this.#upperIsInclusive))
  }

  /** Whether all that can lie between other bounds lies between these too. */
  covers(other: KeyBounds): boolean {
    if (other.isEmpty) return true
    const beginsBefore = this.#lower === undefined
      || (other.#lower !== undefined && (other.#lower > this.#lower || (other.#lower === this.#lower && (!this.#lowerIsExclusive || other.#lowerIsExclusive))))
    const endsBehind = this.#upper === undefined
      || (other.#upper !== undefined && (other.#upper < this.#upper || (other.#upper === this.#upper && (this.#upperIsInclusive || !other.#upperIsInclusive))))
    return beginsBefore && endsBehind
  }

  #intersect(prefix: string): void {
    if (this.#lower === undefined || prefix > this.#lower) {
      this.#lower = prefix
      this.#lowerIsExclusive = false
    }
    const end = behind(prefix)
    if (end !== undefined && (this.#upper === undefined || end <= this.#upper)) {
      this.#upper = end
      this.#upperIsInclusive = false
    }
  }

  #pack(): Buffer {
    const lower = this.#lower ?? ''
    const upper = this.#upper ?? ''
    const packed = Buffer.allocUnsafe(HEAD_BYTES + lower.length + upper.length)
    const flags = (this.#lower === undefined ? 0 : HAS_LOWER) | (this.#lowerIsExclusive ? LOWER_IS_EXCLUSIVE : 0)
      | (this.#upper === undefined ? 0 : HAS_UPPER) | (this.#upperIsInclusive ? UPPER_IS_INCLUSIVE : 0) | (this.reverse ? REVERSE : 0)
    packed.writeUInt32LE(flags, 0)
    packed.writeUInt32LE(lower.length, 4)
    packed.writeUInt32LE(upper.length, 8)
    writeLatin1(packed, lower, HEAD_BYTES)
    writeLatin1(packed, upper, HEAD_BYTES + lower.length)
    return packed
  }
}

/** The index of the first key that is at or behind `bound`; with `behindEqual`, behind it. */
function indexOf(sorted: readonly string[], bound: string, behindEqual: boolean): number {
  let from = 0
  let to = sorted.length
  while (from < to) {
    const middle = (from + to) >>> 1
    const key = sorted[middle] as string
    if (key < bound || (behindEqual && key === bound)) from = middle + 1
    else to = middle
  }
  return from
}

/** The first bytes behind all that begin with `prefix`; there are none when it consists of 0xff. */
function behind(prefix: string): string | undefined {
  let end = prefix.length
  while (end > 0 && prefix.charCodeAt(end - 1) === 0xff) end--
  return end === 0 ? undefined : prefix.slice(0, end - 1) + String.fromCharCode(prefix.charCodeAt(end - 1) + 1)
}

/** A key as a string of bytes. */
export function bytesOf(key: string | Uint8Array): string {
  return typeof key === 'string' ? utf8AsLatin1(key) : readLatin1(key, 0, key.length)
}
