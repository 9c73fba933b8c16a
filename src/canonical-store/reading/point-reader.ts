// Point reads: one native call for a value. Text is decoded from memory used over and over, bytes come out in memory that the user keeps.
import { MISSING, TOO_BIG } from '../../native/binding.ts'
import type { PayloadCodec } from '../../codecs/payload-codec.ts'
import { invalidArgument } from '../../errors.ts'
import { isBytes, lengthOf, readLatin1, readUtf8, writeBytes, writeUtf8 } from '../../internal/bytes.ts'
import { ANSWER, OFFSET } from '../../native/call-memory.ts'
import type { Environment } from '../../native/environment.ts'
import type { KeySpace } from '../key-space.ts'
import { allocate, PAGE_BYTES, view } from '../../native/pool.ts'

const ABSENT = 0xffff_ffff
const LENGTH_BYTES = 4
const FIRST_KEYS_BYTES = 16 * 1024
/** What a first page of `getMany` is sized by, before anything is known of the values. */
const GUESSED_VALUE_BYTES = 128
const MAX_FIRST_PAGE_BYTES = 1024 * 1024

/** Reads of a store handle or a snapshot, as native code knows it. */
export class PointReader {
  readonly #environment: Environment
  /** The store handle or snapshot. */
  readonly id: number
  #valueBytes = GUESSED_VALUE_BYTES

  constructor(environment: Environment, id: number) {
    this.#environment = environment
    this.id = id
  }

  get<V>(values: PayloadCodec<V>, slot: number, key: string | Uint8Array): V | undefined {
    if (values.isText) return this.#getText(values, slot, key)
    const { hot, slab, memory } = this.#environment
    memory.ask(this.id, slot, key)
    slab.prepare()
    memory.words[OFFSET] = slab.offset
    hot.get(slab.memory)
    const length = memory.words[ANSWER] as number
    if (length >= 0) return values.fromBytes(slab.take(length))
    return length === MISSING ? undefined : values.fromBytes(this.#large(length))
  }

  #getText<V>(values: PayloadCodec<V>, slot: number, key: string | Uint8Array): V | undefined {
    const { hot, memory } = this.#environment
    memory.ask(this.id, slot, key)
    const text = hot.getText()
    if (text !== undefined) return values.fromText(text)
    if (memory.words[ANSWER] === MISSING) return undefined
    throw this.#environment.error()
  }

  /** The value that did not fit. */
  #large(answer: number): Buffer {
    if (answer !== TOO_BIG) throw this.#environment.error()
    return this.#environment.cold.takeValue()
  }

  /** The value's bytes, one code unit each. */
  raw(slot: number, key: string | Uint8Array): string | undefined {
    const { hot, scratch, scratchMemory, memory } = this.#environment
    memory.ask(this.id, slot, key)
    memory.words[OFFSET] = 0
    hot.get(scratchMemory)
    const length = memory.words[ANSWER] as number
    if (length >= 0) return readLatin1(scratch, 0, length)
    if (length === MISSING) return undefined
    const large = this.#large(length)
    return readLatin1(large, 0, large.length)
  }

  has(slot: number, key: string | Uint8Array): boolean {
    const { hot, memory } = this.#environment
    memory.ask(this.id, slot, key)
    hot.has()
    const there = memory.words[ANSWER] as number
    if (there < 0) throw this.#environment.error()
    return there === 1
  }

  /**
   * The values of many keys. `isStable` tells that nothing changes between two native calls; otherwise, when they do not all fit into one
   * page, `atOnePoint` runs the reading against a reader of which it is true. `ownOf` tells, once the keys are encoded, which of them have another
   * value than the one that is stored.
   */
  getMany<K, V>(space: KeySpace<K, V>, slot: number, keys: readonly K[], atOnePoint: (<T>(read: (reader: PointReader) => T) => T) | undefined, ownOf?: (packed: PackedKeys) => readonly OwnValue[]): (V | undefined)[] {
    const packed = this.#environment.takeKeys()
    try {
      const found = Array.from<V | undefined>({ length: keys.length })
      const places = packed.pack(space, keys)
      const own = ownOf?.(packed)
      if (places.length === 0) return found
      if (this.#readMany(space, slot, packed, places, found, atOnePoint !== undefined)) {
        for (const { place, bytes } of own ?? []) found[places[place] as number] = bytes === undefined ? undefined : space.values.fromOwn(bytes)
        return found
      }
      return (atOnePoint as <T>(read: (reader: PointReader) => T) => T)((reader) => {
        reader.#readMany(space, slot, packed, places, found, false)
        return found
      })
    } finally {
      this.#environment.giveKeys(packed)
    }
  }

  /** False, with nothing decoded, when it was to be one page and that did not do. */
  #readMany<K, V>(space: KeySpace<K, V>, slot: number, packed: PackedKeys, places: readonly number[], found: (V | undefined)[], onePage: boolean): boolean {
    const { hot } = this.#environment
    let answered = 0
    let needed = 0
    while (answered < places.length) {
      const left = places.length - answered
      const page = this.#takePage(space.values.isText, Math.max(needed, Math.min(MAX_FIRST_PAGE_BYTES, left * (this.#valueBytes + LENGTH_BYTES))))
      const count = hot.getMany(this.id, slot, packed.buffer, packed.starts[answered] as number, packed.length, page)
      if (count < 0) throw this.#environment.error()
      if (count === 0) {
        needed = page.readUInt32LE(0)
        continue
      }
      if (onePage && count < left) {
        this.#valueBytes *= 2
        return false
      }
      this.#decode(space.values, page, count, places, answered, found)
      answered += count
    }
    return true
  }

  #decode<V>(values: PayloadCodec<V>, page: Buffer, count: number, places: readonly number[], from: number, found: (V | undefined)[]): void {
    const { buffer: memory, byteOffset: base } = page // asking for the memory costs a call
    const data = new DataView(memory, base, page.length)
    const ends: number[] = []
    let used = 0
    for (let i = 0; i < count; i++) {
      const length = data.getUint32(used, true)
      ends.push(length === ABSENT ? -1 : used + LENGTH_BYTES + length)
      const end = used + LENGTH_BYTES + (length === ABSENT ? 0 : length)
      used = end + (-end & 3)
    }
    this.#valueBytes = Math.ceil((this.#valueBytes + used / count) / 2)
    if (!values.isText) this.#environment.slab.keep(page, used)
    let at = 0
    for (let i = 0; i < count; i++) {
      const end = ends[i] as number
      const start = at + LENGTH_BYTES
      at = end < 0 ? start : end + (-end & 3)
      if (end < 0) continue
      const value = values.isText ? values.fromText(readUtf8(page, start, end)) : values.fromBytes(view(memory, base + start, end - start))
      found[places[from + i] as number] = value
    }
    if (values.isText) this.#environment.pages.give(page)
  }

  #takePage(isText: boolean, needed: number): Buffer {
    const bytes = PAGE_BYTES.find((size) => size >= needed) ?? needed + (-needed & 0xfff)
    if (!isText) return this.#environment.slab.page(bytes)
    return bytes <= PAGE_BYTES[2] ? this.#environment.pages.take(bytes) : allocate(bytes)
  }
}

/** What the key at a place of the packed ones has instead of what is stored; without bytes it is deleted. */
export interface OwnValue { readonly place: number; readonly bytes: Buffer | undefined }

/** The keys of one `getMany`: `[u32 length][bytes]`, padded to 4, one after the other. */
export class PackedKeys {
  buffer: Buffer = Buffer.allocUnsafeSlow(FIRST_KEYS_BYTES)
  length = 0
  /** Where each key begins. */
  readonly starts: number[] = []
  /** Means nothing; but what is looked at has to go somewhere. */
  looked = 0

  /** Packs the keys that can exist and tells the place of each in `keys`. */
  pack<K, V>(space: KeySpace<K, V>, keys: readonly K[]): number[] {
    if (!Array.isArray(keys)) throw invalidArgument('keys', 'an array of keys is needed')
    this.length = 0
    this.starts.length = 0
    this.#look(keys)
    const places: number[] = []
    const { length: count } = keys
    for (let i = 0; i < count; i++) {
      const key = space.readableKey(keys[i] as K)
      if (key === undefined) continue
      this.#add(key)
      places.push(i)
    }
    return places
  }

  /** The bytes of the key at a place, one code unit each. */
  bytesAt(place: number): string {
    const start = this.starts[place] as number
    return readLatin1(this.buffer, start + LENGTH_BYTES, start + LENGTH_BYTES + this.buffer.readUInt32LE(start))
  }

  /**
   * Looks at each key, which is seldom in the processor's cache: in a loop as short as this it waits for many of them at the same time, and
   * packing them one after the other waits for none.
   */
  #look(keys: readonly unknown[]): void {
    let looked = 0
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]
      if (typeof key === 'string') looked = (looked + key.charCodeAt(0)) | 0
      else if (isBytes(key)) looked = (looked + (key[0] as number)) | 0
    }
    this.looked = looked
  }

  #add(key: string | Uint8Array): void {
    const start = this.length
    const room = start + LENGTH_BYTES + lengthOf(key) * 3 + 3
    if (room > this.buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(room, this.buffer.length * 2))
      this.buffer.copy(larger, 0, 0, start)
      this.buffer = larger
    }
    const at = start + LENGTH_BYTES
    let length: number
    if (typeof key === 'string') length = writeUtf8(this.buffer, key, at)
    else length = writeBytes(this.buffer, key, at)
    this.buffer.writeUInt32LE(length, start)
    this.starts.push(start)
    this.length = at + length + (-length & 3)
  }
}
