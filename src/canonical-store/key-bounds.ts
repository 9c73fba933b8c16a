// The beginning and end of a range, as bytes: the caller's bounds and prefix, intersected. Bytes are strings of one code unit each, which compare as the bytes do.
import { invalidArgument } from '../errors.ts'
import { lengthOf, readLatin1, utf8AsLatin1, writeLatin1 } from '../internal/bytes.ts'
import { checkBoolean, checkedLimit, checkOptions } from '../internal/validate.ts'
import type { KeyRange } from './api/collection.ts'
import type { KeySpace } from './key-space.ts'

/** The options of a range, and those of `deleteRange`. */
export const RANGE_OPTIONS: ReadonlySet<string> = new Set(['gte', 'gt', 'lt', 'lte', 'prefix', 'reverse', 'limit'])
export const SPAN_OPTIONS: ReadonlySet<string> = new Set(['gte', 'gt', 'lt', 'lte', 'prefix'])

const HEAD_BYTES = 12
const HAS_LOWER = 1
const LOWER_IS_EXCLUSIVE = 2
const HAS_UPPER = 4
const UPPER_IS_INCLUSIVE = 8
const REVERSE = 16
const KEYS_ONLY = 32

interface Edges {
  lower: string | undefined
  lowerIsExclusive: boolean
  upper: string | undefined
  upperIsInclusive: boolean
}

/** What a range says, asked for once: there may be getters. @throws `ERR_INVALID_ARGUMENT` */
export function ownRange<K>(range: KeyRange<K> | undefined): KeyRange<K> {
  checkOptions(range, RANGE_OPTIONS, 'range')
  const { gte, gt, lt, lte, prefix, reverse, limit } = range ?? {}
  return Object.fromEntries(Object.entries({ gte, gt, lt, lte, prefix, reverse, limit }).filter(([, value]) => value !== undefined))
}

/** Bounds, order and limit of a range. */
export class KeyBounds {
  readonly reverse: boolean
  /** Infinity: no limit. */
  readonly limit: number
  readonly #lower: string | undefined
  readonly #lowerIsExclusive: boolean
  readonly #upper: string | undefined
  readonly #upperIsInclusive: boolean
  readonly #packed: Buffer

  private constructor(edges: Edges, reverse: boolean, limit: number) {
    this.#lower = edges.lower
    this.#lowerIsExclusive = edges.lowerIsExclusive
    this.#upper = edges.upper
    this.#upperIsInclusive = edges.upperIsInclusive
    this.reverse = reverse
    this.limit = limit
    this.#packed = this.#pack()
  }

  /** @throws `ERR_INVALID_ARGUMENT` for an option that a range does not have, `ERR_CODEC` for a bound that cannot be encoded */
  static of<K, V>(space: KeySpace<K, V>, range: KeyRange<K> | undefined, known: ReadonlySet<string>): KeyBounds {
    checkOptions(range, known, 'range')
    const { gte, gt, lt, lte, prefix, reverse, limit } = range ?? {}
    if (gte !== undefined && gt !== undefined) throw invalidArgument('range.gt', 'a range begins with gte or gt, not both')
    if (lte !== undefined && lt !== undefined) throw invalidArgument('range.lt', 'a range ends with lte or lt, not both')
    checkBoolean(reverse, 'range.reverse')
    const most = checkedLimit(limit, 'range.limit')
    const edges: Edges = { lower: undefined, lowerIsExclusive: false, upper: undefined, upperIsInclusive: false }
    const key = (of: K | undefined): string => bytesOf(space.key(of as K))
    if (gte !== undefined || gt !== undefined) {
      edges.lower = key(gte === undefined ? gt : gte)
      edges.lowerIsExclusive = gt !== undefined
    }
    if (lte !== undefined || lt !== undefined) {
      edges.upper = key(lte === undefined ? lt : lte)
      edges.upperIsInclusive = lte !== undefined
    }
    if (prefix !== undefined) intersect(edges, bytesOf(space.prefix(prefix)))
    // No key is empty: an empty lower bound excludes nothing, and LMDB does not accept one.
    if (edges.lower === '') edges.lower = undefined
    return new KeyBounds(edges, reverse === true, most)
  }

  /** The first possible key between the bounds. */
  get start(): string {
    return this.#lower === undefined ? '' : this.#lowerIsExclusive ? `${this.#lower}\0` : this.#lower
  }

  /** The first possible key behind the range; `undefined`: there is none. */
  get end(): string | undefined {
    return this.#upper !== undefined && this.#upperIsInclusive ? `${this.#upper}\0` : this.#upper
  }

  /** The same range without the part before `key`, in the order of the range. */
  from(key: string): KeyBounds {
    const edges = { lower: this.#lower, lowerIsExclusive: this.#lowerIsExclusive, upper: this.#upper, upperIsInclusive: this.#upperIsInclusive }
    if (this.reverse) Object.assign(edges, { upper: key, upperIsInclusive: false })
    else Object.assign(edges, { lower: key, lowerIsExclusive: false })
    return new KeyBounds(edges, this.reverse, this.limit)
  }

  /** Whether no key can lie between the bounds. */
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

  /** The part of sorted keys that lies between the bounds: from the first index to the second, exclusive. */
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
    return (
      (lower === undefined || key > lower || (key === lower && !this.#lowerIsExclusive)) &&
      (upper === undefined || key < upper || (key === upper && this.#upperIsInclusive))
    )
  }

  /** Whether every key between the other bounds is between these too. */
  covers(other: KeyBounds): boolean {
    if (other.isEmpty) return true
    const beginsBefore =
      this.#lower === undefined ||
      (other.#lower !== undefined && (other.#lower > this.#lower || (other.#lower === this.#lower && (!this.#lowerIsExclusive || other.#lowerIsExclusive))))
    const endsBehind =
      this.#upper === undefined ||
      (other.#upper !== undefined && (other.#upper < this.#upper || (other.#upper === this.#upper && (this.#upperIsInclusive || !other.#upperIsInclusive))))
    return beginsBefore && endsBehind
  }

  #pack(): Buffer {
    const lower = this.#lower ?? ''
    const upper = this.#upper ?? ''
    const packed = Buffer.allocUnsafe(HEAD_BYTES + lower.length + upper.length)
    const flags =
      (this.#lower === undefined ? 0 : HAS_LOWER) |
      (this.#lowerIsExclusive ? LOWER_IS_EXCLUSIVE : 0) |
      (this.#upper === undefined ? 0 : HAS_UPPER) |
      (this.#upperIsInclusive ? UPPER_IS_INCLUSIVE : 0) |
      (this.reverse ? REVERSE : 0)
    packed.writeUInt32LE(flags, 0)
    packed.writeUInt32LE(lower.length, 4)
    packed.writeUInt32LE(upper.length, 8)
    writeLatin1(packed, lower, HEAD_BYTES)
    writeLatin1(packed, upper, HEAD_BYTES + lower.length)
    return packed
  }
}

/** Reduces a range to the keys with a prefix. */
function intersect(edges: Edges, prefix: string): void {
  if (edges.lower === undefined || prefix > edges.lower) {
    edges.lower = prefix
    edges.lowerIsExclusive = false
  }
  const end = behind(prefix)
  if (end !== undefined && (edges.upper === undefined || end <= edges.upper)) {
    edges.upper = end
    edges.upperIsInclusive = false
  }
}

/** The index of the first of sorted keys that is at or behind `bound`; with `behindEqual`, behind it. */
export function indexOf(sorted: readonly string[], bound: string, behindEqual: boolean): number {
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

/** The first bytes behind every key that begins with `prefix`; there are none when it consists of 0xff. */
function behind(prefix: string): string | undefined {
  let end = prefix.length
  while (end > 0 && prefix.charCodeAt(end - 1) === 0xff) end--
  return end === 0 ? undefined : prefix.slice(0, end - 1) + String.fromCharCode(prefix.charCodeAt(end - 1) + 1)
}

/** A key as a string of bytes. */
export function bytesOf(key: string | Uint8Array): string {
  return typeof key === 'string' ? utf8AsLatin1(key) : readLatin1(key, 0, lengthOf(key))
}
