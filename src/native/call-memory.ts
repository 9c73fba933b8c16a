// Where the arguments of a hot read are put and its answer is found: memory that native code sees, one for each environment, laid out as
// `crates/binding/src/environment/call_memory.rs` has it. Between what is put here and the call nothing of the user's may run, which could read in between.
import { lengthOf, writeBytes, writeUtf8 } from '../internal/bytes.ts'
import type { ColdCalls } from './binding.ts'
import { nativeMissing } from './native-file.ts'

/** In `numbers`: a store or a snapshot; an event's id. */
export const READER = 0
export const ID = 1
/** In `words`: the collection; the key's length; the place in the pool. */
export const SLOT = 4
export const KEY_BYTES = 5
export const OFFSET = 6
/** In `words`: a length, 0 or 1, or what {@link HotCalls} says. */
export const ANSWER = 7
const KEY_AT = 32
/** Up to this length a loop is faster than a call into Node. */
const SHORT = 64

/** The arguments and the answer of one hot read. */
export class CallMemory {
  readonly numbers: Float64Array
  readonly words: Int32Array
  readonly #key: Buffer

  /** @throws `ERR_NATIVE_MISSING` where a program that embeds Node copies native memory: native code would read other keys than were asked for */
  constructor(cold: ColdCalls) {
    const { buffer: memory, byteOffset, byteLength } = cold.callMemory()
    this.numbers = new Float64Array(memory, byteOffset, KEY_AT / 8)
    this.words = new Int32Array(memory, byteOffset, KEY_AT / 4)
    this.#key = Buffer.from(memory, byteOffset + KEY_AT, byteLength - KEY_AT)
    this.words[ANSWER] = MARK
    const again = cold.callMemory()
    if (new Int32Array(again.buffer, again.byteOffset)[ANSWER] === MARK) return
    throw nativeMissing('unsupported-runtime', [])
  }

  /**
   * Writes a reader, a slot and a key that is valid. The key comes first, as its length may be a getter that reads. Copying byte by byte never touches the
   * memory object under a Uint8Array, which is rarely in the cache.
   */
  ask(reader: number, slot: number, key: string | Uint8Array): void {
    const { words } = this
    words[KEY_BYTES] = typeof key === 'string' ? this.#putText(key) : this.#putBytes(key)
    words[SLOT] = slot
    this.numbers[READER] = reader
  }

  #putText(key: string): number {
    const memory = this.#key
    const { length } = key
    let i = 0
    for (; i < length && i < SHORT; i++) {
      const unit = key.charCodeAt(i)
      if (unit > 0x7f) break
      memory[i] = unit
    }
    return i === length ? length : writeUtf8(memory, key, 0)
  }

  #putBytes(key: Uint8Array): number {
    const memory = this.#key
    // Another thread may have made it larger since it was found to be as long as a key can be. So long no key is.
    const length = Math.min(lengthOf(key), memory.length)
    if (length > SHORT) return writeBytes(memory, key, 0, length)
    for (let i = 0; i < length; i++) memory[i] = key[i] as number
    return length
  }
}

/** Any number that is not an answer. */
const MARK = 0x5a5a
