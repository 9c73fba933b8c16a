// A set of keys on its way to native code, one record after another in a buffer that is used again: u32 (length << 1 | exclusive), then the name. The first byte of a
// name says what it is: 0 a name of the caller's, 1 a key of a collection.
import { invalidArgument, limitExceeded } from '../errors.ts'
import { isBytes, lengthOf, writeBytes, writeUtf8 } from '../internal/bytes.ts'
import { allocate } from '../native/pool.ts'
import { LockName } from './lock-name.ts'
import type { LockKey, LockSet } from './locks.ts'

const INITIAL_BYTES = 4096
/** A buffer that has grown beyond this is not kept. */
const KEPT_BYTES = 64 * 1024
const MAX_NAME_BYTES = 1024 * 1024
const HEAD_BYTES = 5
const OWN_NAME = 0
const COLLECTION_KEY = 1
const SHARED = 0
const EXCLUSIVE = 1

/** The set of one call. */
export class PackedLockSet {
  buffer: Buffer = allocate(INITIAL_BYTES)
  length = 0

  /**
   * Packs `keys`. Keys of collections may be of any store, or only of the one with this number if it is given.
   *
   * @throws `ERR_INVALID_ARGUMENT`, `ERR_LIMIT` (`lockKeyBytes`)
   */
  fill(keys: LockSet, storeKey: number | undefined): void {
    if (typeof keys !== 'object' || keys === null) throw invalidArgument('keys', 'an object with `read` and `write` is needed')
    for (const name of Object.keys(keys)) if (name !== 'read' && name !== 'write') throw invalidArgument(`keys.${name}`, 'unknown option')
    // First, because a getter of the caller's could call back into this.
    const { read, write } = keys
    this.length = 0
    if (this.buffer.length > KEPT_BYTES) this.buffer = allocate(INITIAL_BYTES)
    if (read !== undefined) this.#addAll(read, SHARED, 'keys.read', storeKey)
    if (write !== undefined) this.#addAll(write, EXCLUSIVE, 'keys.write', storeKey)
  }

  #addAll(keys: readonly LockKey[], mode: number, argument: string, storeKey: number | undefined): void {
    if (!Array.isArray(keys)) throw invalidArgument(argument, 'an array of keys is needed')
    for (const key of keys as readonly LockKey[]) {
      if (typeof key === 'string') {
        this.#reserve(key.length * 3)
        this.#close(mode, OWN_NAME, writeUtf8(this.buffer, key, this.length + HEAD_BYTES), argument)
      } else if (key instanceof LockName) {
        if (storeKey !== undefined && key.storeKey !== storeKey) throw invalidArgument(argument, 'the key belongs to another store')
        this.#reserve(key.maxNameBytes)
        this.#close(mode, COLLECTION_KEY, key.writeName(this.buffer, this.length + HEAD_BYTES), argument)
      } else if (isBytes(key)) {
        const length = lengthOf(key)
        this.#reserve(length)
        this.#close(mode, OWN_NAME, writeBytes(this.buffer, key, this.length + HEAD_BYTES, length), argument)
      } else {
        throw invalidArgument(argument, 'a key is a string, bytes, or what `collection.key()` gives')
      }
    }
  }

  /** The bytes of the name are written: writes what precedes them. */
  #close(mode: number, namespace: number, bytes: number, argument: string): void {
    if (bytes === 0) throw invalidArgument(argument, 'a key is not empty')
    if (bytes > MAX_NAME_BYTES) throw limitExceeded('the name of a lock', 'lockKeyBytes', bytes, MAX_NAME_BYTES)
    const { buffer, length: at } = this
    const head = ((bytes + 1) << 1) | mode
    buffer[at] = head
    buffer[at + 1] = head >>> 8
    buffer[at + 2] = head >>> 16
    buffer[at + 3] = head >>> 24
    buffer[at + 4] = namespace
    this.length = at + HEAD_BYTES + bytes
  }

  #reserve(bytes: number): void {
    const needed = this.length + HEAD_BYTES + Math.min(bytes, 3 * MAX_NAME_BYTES + 1)
    if (bytes > 3 * MAX_NAME_BYTES) throw limitExceeded('the name of a lock', 'lockKeyBytes', bytes, MAX_NAME_BYTES)
    if (needed <= this.buffer.length) return
    const grown = allocate(2 * needed)
    this.buffer.copy(grown, 0, 0, this.length)
    this.buffer = grown
  }
}
