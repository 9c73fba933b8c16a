// One pass over a range, entry by entry, out of pages that native code fills.
import { closed } from '../../errors.ts'
import { readLatin1, readUtf8 } from '../../internal/bytes.ts'
import { Lease } from '../../internal/lease.ts'
import type { Environment } from '../../native/environment.ts'
import { Pages } from '../../native/pages.ts'
import { checkKept, view } from '../../native/pool.ts'
import type { KeyBounds } from '../key-bounds.ts'
import type { KeySpace } from '../key-space.ts'

/** A pass over a range. `key`, `value` and `entry` belong to the entry that `advance` has moved to; a codec may move it on. */
export interface Cursor<K, V> {
  advance(): boolean
  key(): K
  value(): V
  /** Takes both before it decodes one. */
  entry(): [key: K, value: V]
  /** The key as a string of bytes. */
  keyBytes(): string
  /** Releases what it holds; a second call does nothing. */
  close(): void
}

/** What native code needs to open a cursor. */
export interface CursorPlace {
  readonly environment: Environment
  readonly reader: number
  readonly slot: number
  /** The leases of its reader: the cursor ends with them. */
  readonly leases: Set<Lease>
}

const PAGE_HEAD = 8
const ENTRY_HEAD = 8
const IS_DONE = 1
const KEYS_ARE_ASCII = 2
const VALUES_ARE_ASCII = 4

/** A pass over what is committed. */
export class NativeCursor<K, V> implements Cursor<K, V> {
  readonly #environment: Environment
  readonly #space: KeySpace<K, V>
  readonly #leases: Set<Lease>
  readonly #id: number
  readonly #pages: Pages
  /** No views of a page are handed out. */
  readonly #reusesPages: boolean
  #lease: Lease | undefined
  #page: Buffer | undefined
  /** The page's memory, and where the page begins in it: asking a Buffer for its memory costs a call. */
  #memory: ArrayBufferLike | undefined
  #base = 0
  #data: DataView | undefined
  #text: string | undefined
  #flags = 0
  #left = 0
  #next = 0
  #key = 0
  #value = 0
  #end = 0

  constructor(place: CursorPlace, space: KeySpace<K, V>, bounds: KeyBounds, limit: number, keysOnly: boolean) {
    this.#environment = place.environment
    this.#space = space
    this.#leases = place.leases
    this.#reusesPages = space.keysAreText && (keysOnly || space.values.isText)
    this.#pages = new Pages(place.environment, this.#reusesPages)
    this.#id = place.environment.hot.rangeOpen(place.reader, place.slot, bounds.packed(keysOnly), limit === Infinity ? -1 : limit)
    if (this.#id < 0) throw place.environment.error()
  }

  advance(): boolean {
    if (this.#left === 0 && !this.#load()) return false
    if (!this.#reusesPages) checkKept(this.#memory as ArrayBufferLike, this.#pages.used)
    this.#left--
    const at = this.#next
    const page = this.#data as DataView
    this.#key = at + ENTRY_HEAD
    this.#value = this.#key + page.getUint32(at, true)
    this.#end = this.#value + page.getUint32(at + 4, true)
    this.#next = this.#end + (-this.#end & 3)
    return true
  }

  key(): K {
    const space = this.#space
    return space.keysAreText ? space.keyFromText(this.#keyText()) : space.keyFromBytes(this.#view(this.#key, this.#value))
  }

  value(): V {
    const { values } = this.#space
    return values.isText ? values.fromText(this.#valueText()) : values.fromBytes(this.#view(this.#value, this.#end))
  }

  entry(): [key: K, value: V] {
    const { values } = this.#space
    if (values.isText) {
      const text = this.#valueText()
      return [this.key(), values.fromText(text)]
    }
    const bytes = this.#view(this.#value, this.#end)
    return [this.key(), values.fromBytes(bytes)]
  }

  keyBytes(): string {
    return this.#pageText().substring(this.#key, this.#value)
  }

  /** The value as a string of bytes. */
  valueBytes(): string {
    return this.#pageText().substring(this.#value, this.#end)
  }

  close(): void {
    this.#left = 0
    this.#givePage()
    if ((this.#flags & IS_DONE) !== 0) return
    this.#flags |= IS_DONE
    if (this.#lease === undefined) this.#environment.cold.closeCursor(this.#id)
    else this.#lease.close()
  }

  #keyText(): string {
    return (this.#flags & KEYS_ARE_ASCII) === 0 ? readUtf8(this.#page as Buffer, this.#key, this.#value) : this.keyBytes()
  }

  #valueText(): string {
    return (this.#flags & VALUES_ARE_ASCII) === 0 ? readUtf8(this.#page as Buffer, this.#value, this.#end) : this.valueBytes()
  }

  #view(start: number, end: number): Buffer {
    return view(this.#memory as ArrayBufferLike, this.#base + start, end - start)
  }

  /** The page as one string of bytes: decoded once, cut up for each entry. */
  #pageText(): string {
    return (this.#text ??= readLatin1(this.#page as Buffer, 0, this.#pages.used))
  }

  #load(): boolean {
    this.#givePage()
    if ((this.#flags & IS_DONE) !== 0) return false
    if (this.#lease?.open === false) throw closed('range') // its reader has ended; the number may be another cursor's by now
    this.#open(this.#nextPage())
    if (this.#left > 0) return true
    this.close()
    return false
  }

  #nextPage(): Buffer {
    const { hot } = this.#environment
    try {
      return this.#pages.load((page) => hot.rangePage(this.#id, page))
    } catch (error) {
      this.close()
      throw error
    }
  }

  #open(page: Buffer): void {
    const { buffer: memory, byteOffset: base } = page
    const data = new DataView(memory, base, this.#pages.used)
    this.#page = page
    this.#memory = memory
    this.#base = base
    this.#data = data
    this.#left = data.getUint32(0, true)
    this.#flags = data.getUint32(4, true)
    this.#next = PAGE_HEAD
    if ((this.#flags & IS_DONE) !== 0) this.#lease?.settle()
    else this.#lease ??= lease(this, this.#id, this.#environment, this.#leases)
  }

  #givePage(): void {
    this.#page = this.#memory = this.#text = undefined
    this.#pages.release()
  }
}

/** A separate function: the lease must not keep alive the cursor whose end it waits for. */
function lease(holder: object, id: number, environment: Environment, leases: Set<Lease>): Lease {
  return new Lease('range', id, holder, leases, (cursor) => environment.cold.closeCursor(cursor))
}
