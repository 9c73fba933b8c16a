// The keys of one `getMany` on their way to native code, in a buffer that is used again.
import { invalidArgument } from '../../errors.ts'
import { isBytes, lengthOf, readLatin1, writeBytes, writeUtf8 } from '../../internal/bytes.ts'
import type { KeySpace } from '../key-space.ts'

const LENGTH_BYTES = 4
const FIRST_BYTES = 16 * 1024
/** A larger buffer is not kept. */
const KEPT_BYTES = 1024 * 1024

/** What a transaction has in place of the stored value of a packed key; without bytes the key is deleted. */
export interface OwnValue {
  readonly place: number
  readonly bytes: Buffer | undefined
}

/** The keys of one `getMany`: `[u32 length][bytes]`, padded to 4, one after another. */
export class PackedKeys {
  buffer: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES)
  length = 0
  /** Where each key begins. */
  readonly starts: number[] = []
  /** Has no meaning: a place for the result of looking. */
  looked = 0

  /** Packs the keys that can exist, and returns the place of each in `keys`. */
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
   * Reads a little of each key, which is seldom in the processor's cache. In such a short loop the processor waits for many of them at the same time; packing
   * them one after another would wait for each.
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
    const units = lengthOf(key)
    const room = start + LENGTH_BYTES + units * 3 + 3
    if (room > this.buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(room, this.buffer.length * 2))
      this.buffer.copy(larger, 0, 0, start)
      this.buffer = larger
    }
    const at = start + LENGTH_BYTES
    let length: number
    if (typeof key === 'string') length = writeUtf8(this.buffer, key, at)
    else length = writeBytes(this.buffer, key, at, units)
    this.buffer.writeUInt32LE(length, start)
    this.starts.push(start)
    this.length = at + length + (-length & 3)
  }
}

/** Packed keys that are not in use. */
let spare: PackedKeys | undefined

/** Packed keys for one `getMany`, to be given back. */
export function takeKeys(): PackedKeys {
  const keys = spare ?? new PackedKeys()
  spare = undefined
  return keys
}

export function giveKeys(keys: PackedKeys): void {
  if (keys.buffer.length <= KEPT_BYTES) spare = keys
}
