// Point reads: one native call for a value. Text is decoded from memory that is used again; bytes are returned in memory that the user keeps.
import type { PayloadCodec } from '../../codecs/payload-codec.ts'
import { readLatin1, readUtf8 } from '../../internal/bytes.ts'
import { MISSING, TOO_BIG } from '../../native/binding.ts'
import { ANSWER, OFFSET } from '../../native/call-memory.ts'
import type { Environment } from '../../native/environment.ts'
import { takePage } from '../../native/pages.ts'
import { view } from '../../native/pool.ts'
import type { KeySpace } from '../key-space.ts'
import { giveKeys, type OwnValue, type PackedKeys, takeKeys } from './packed-keys.ts'

const ABSENT = 0xffff_ffff
const LENGTH_BYTES = 4
/** The size that the first page of `getMany` assumes for each value. */
const GUESSED_VALUE_BYTES = 128
const MAX_FIRST_PAGE_BYTES = 1024 * 1024

/** Reads of a store handle or a snapshot. */
export class PointReader {
  readonly #environment: Environment
  /** Native code's number for the store handle or snapshot. */
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
   * The values of many keys. `isStable`: nothing changes between two native calls. Otherwise, if they do not all fit into one page, `atOnePoint` runs the
   * reading with a reader for which it is true. `ownOf` returns, once the keys are encoded, those that have another value than the stored one.
   */
  getMany<K, V>(
    space: KeySpace<K, V>,
    slot: number,
    keys: readonly K[],
    atOnePoint: (<T>(read: (reader: PointReader) => T) => T) | undefined,
    ownOf?: (packed: PackedKeys) => readonly OwnValue[],
  ): (V | undefined)[] {
    const packed = takeKeys()
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
      giveKeys(packed)
    }
  }

  /** False, with nothing decoded, when it had to be one page and that was too small. */
  #readMany<K, V>(space: KeySpace<K, V>, slot: number, packed: PackedKeys, places: readonly number[], found: (V | undefined)[], onePage: boolean): boolean {
    const { hot } = this.#environment
    let answered = 0
    let needed = 0
    while (answered < places.length) {
      const left = places.length - answered
      const page = takePage(this.#environment, space.values.isText, Math.max(needed, Math.min(MAX_FIRST_PAGE_BYTES, left * (this.#valueBytes + LENGTH_BYTES))))
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
}
