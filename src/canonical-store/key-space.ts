// A collection without its public face: its store, native code's slot for it, and the conversion of its keys and values to bytes.
import { BinaryCodec } from '../codecs/binary.ts'
import { nameOfKeyCodec } from '../codecs/check-codec.ts'
import type { KeyCodec, KeyPrefix } from '../codecs/codec.ts'
import { codecFailed, type PayloadCodec } from '../codecs/payload-codec.ts'
import { takeRefusal } from '../codecs/refusal.ts'
import { TextCodec } from '../codecs/text-codec.ts'
import { Utf8Codec } from '../codecs/utf8.ts'
import { InvalidArgumentError, invalidArgument } from '../errors.ts'
import { copyOf, isBytes, isWellFormed, owned } from '../internal/bytes.ts'
import { leaveUnheard } from '../internal/thenable.ts'
import { canBeKey, type KeyLimits } from './key-size.ts'

/** The handle of a store that a key space belongs to. */
export interface SpaceOwner {
  readonly limits: KeyLimits
  /** The store's number in this process. */
  readonly storeKey: number
  /** Native code's number for a collection with these codecs. */
  slot(name: string, keys: string, values: string): number
}

/** A named key space, as one handle of the store sees it. */
export class KeySpace<K, V> {
  readonly owner: SpaceOwner
  readonly name: string
  readonly values: PayloadCodec<V>
  /** Native code's number for name and codecs, in this handle. */
  readonly slot: number
  /** The name of the codec of its keys. */
  readonly keyName: string
  /** Keys are best decoded from a string that the reader already has. */
  readonly keysAreText: boolean
  readonly #keys: KeyCodec<K>
  readonly #isUtf8: boolean
  readonly #isBinary: boolean
  #lockPrefix: Buffer | undefined

  /** @throws `ERR_INVALID_ARGUMENT` for what is no codec of keys */
  constructor(owner: SpaceOwner, name: string, keys: KeyCodec<K>, values: PayloadCodec<V>) {
    this.keyName = nameOfKeyCodec(keys, 'key')
    this.owner = owner
    this.name = name
    this.values = values
    this.slot = owner.slot(name, this.keyName, values.name)
    this.keysAreText = keys instanceof TextCodec
    this.#keys = keys
    this.#isUtf8 = keys instanceof Utf8Codec
    this.#isBinary = keys instanceof BinaryCodec
  }

  /** The beginning of the lock names of its keys. */
  get lockPrefix(): Buffer {
    return (this.#lockPrefix ??= lockPrefixOf(this.owner.storeKey, this.name))
  }

  /** The key's bytes, to write it or as a bound. */
  key(key: K): string | Uint8Array {
    if (this.#isUtf8 && typeof key === 'string' && isWellFormed(key)) return key
    if (this.#isBinary && isBytes(key)) return key
    return this.#encodeKey(key)
  }

  /** The same for a record whose value is encoded next, by user code that may use the same memory again. */
  keyForPut(key: K): string | Uint8Array {
    const encoded = this.key(key)
    return typeof encoded === 'string' || this.values.isPassedOn ? encoded : owned(encoded)
  }

  /** The key's bytes for reading; `undefined` when no such key can exist. */
  readableKey(key: K): string | Uint8Array | undefined {
    return this.readable(this.key(key))
  }

  /** The same for an encoded key. */
  readable(encoded: string | Uint8Array): string | Uint8Array | undefined {
    return canBeKey(encoded, this.owner.limits) ? encoded : undefined
  }

  /** The bytes that the keys with this prefix begin with. */
  prefix(prefix: KeyPrefix<K>): string | Uint8Array {
    const keys = this.#keys
    const encodePrefix = Reflect.get(keys, 'encodePrefix')
    if (encodePrefix === undefined) throw invalidArgument('prefix', `keys of the codec ${this.keyName} have no prefixes`)
    return this.#encode(() => encodePrefix.call(keys, prefix))
  }

  /** A key from bytes that the collection's own codec made of it. */
  keyOf(encoded: string | Uint8Array): K {
    if (typeof encoded === 'string' && this.keysAreText) return this.keyFromText(encoded)
    return this.keyFromBytes(typeof encoded === 'string' ? Buffer.from(encoded, 'utf8') : copyOf(encoded))
  }

  /** A key from text, if {@link keysAreText}. */
  keyFromText(text: string): K {
    return this.#isUtf8 ? (text as K) : (this.#keys as unknown as TextCodec<K>).decodeText(text)
  }

  /** A key from bytes, which the user may keep. */
  keyFromBytes(bytes: Buffer): K {
    if (this.#isBinary) return bytes as K
    try {
      return this.#keys.decode(bytes)
    } catch (cause) {
      throw codecFailed('decode', 'a key', this.keyName, this.name, cause)
    }
  }

  /** A separate function: a method that makes a closure pays for it even if it returns before that. */
  #encodeKey(key: K): string | Uint8Array {
    return this.#encode(() => this.#keys.encode(key))
  }

  #encode(encode: () => string | Uint8Array): string | Uint8Array {
    let encoded: string | Uint8Array
    try {
      encoded = encode()
    } catch (cause) {
      if (takeRefusal(cause) && cause instanceof InvalidArgumentError) throw cause
      throw codecFailed('encode', 'a key', this.keyName, this.name, cause)
    }
    if (typeof encoded === 'string' ? isWellFormed(encoded) : isBytes(encoded)) return encoded
    leaveUnheard(encoded)
    throw codecFailed('encode', 'a key', this.keyName, this.name, new TypeError('a codec encodes to bytes, or a string without lone surrogates'))
  }
}

/** The store's number in this process and the collection's name with its length, so that no two keys have one name. */
function lockPrefixOf(store: number, name: string): Buffer {
  const text = Buffer.from(name, 'utf8')
  const prefix = Buffer.alloc(12 + text.length)
  prefix.writeDoubleLE(store, 0)
  prefix.writeUInt32LE(text.length, 8)
  text.copy(prefix, 12)
  return prefix
}
