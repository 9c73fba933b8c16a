// A collection without its public face: which store it belongs to, the slot native code knows it by, and how its keys and values become bytes.
import { BinaryCodec } from '../codecs/binary.ts'
import { nameOfKeyCodec } from '../codecs/check-codec.ts'
import type { KeyCodec, KeyPrefix } from '../codecs/codec.ts'
import { codecFailed, type PayloadCodec } from '../codecs/payload-codec.ts'
import { takeRefusal } from '../codecs/refusal.ts'
import { TextCodec } from '../codecs/text-codec.ts'
import { Utf8Codec } from '../codecs/utf8.ts'
import { InvalidArgumentError, invalidArgument } from '../errors.ts'
import { copyOf, isBytes, isWellFormed, lengthOf, owned } from '../internal/bytes.ts'
import { leaveUnheard } from '../internal/thenable.ts'

/** The handle of a store that a key space belongs to. */
export interface SpaceOwner {
  readonly limits: { readonly keyBytes: number }
  /** The store's number in this process. */
  readonly storeKey: number
  /** By which number native code knows a collection with these codecs. */
  slot(name: string, keys: string, values: string): number
}

/** A named key space, as one handle of the store sees it. */
export class KeySpace<K, V> {
  readonly owner: SpaceOwner
  readonly name: string
  readonly values: PayloadCodec<V>
  /** By which native code knows name and codecs, for this handle. */
  readonly slot: number
  /** The name of the codec of its keys. */
  readonly keyName: string
  /** Set when keys are best decoded from a string that the reader has at hand. */
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

  /** What the names of its keys' locks begin with. */
  get lockPrefix(): Buffer {
    return (this.#lockPrefix ??= lockPrefixOf(this.owner.storeKey, this.name))
  }

  /** The key's bytes, for writing or as a bound. */
  key(key: K): string | Uint8Array {
    if (this.#isUtf8 && typeof key === 'string' && isWellFormed(key)) return key
    if (this.#isBinary && isBytes(key)) return key
    return this.#encodeKey(key)
  }

  /** The same for a record whose value is encoded next, by code of the user's that may use the same memory again. */
  keyForPut(key: K): string | Uint8Array {
    const encoded = this.key(key)
    return typeof encoded === 'string' || this.values.isPassedOn ? encoded : owned(encoded)
  }

  /** The key's bytes for reading; `undefined` when no such key can exist. */
  readableKey(key: K): string | Uint8Array | undefined {
    return this.readable(this.key(key))
  }

  /** The same of a key that is encoded. */
  readable(encoded: string | Uint8Array): string | Uint8Array | undefined {
    const { keyBytes } = this.owner.limits
    const units = lengthOf(encoded)
    if (units === 0 || units > keyBytes || (typeof encoded === 'string' && units * 3 > keyBytes && isLonger(encoded, keyBytes))) return undefined
    return encoded
  }

  /** The bytes that the keys with this prefix begin with. */
  prefix(prefix: KeyPrefix<K>): string | Uint8Array {
    const keys = this.#keys
    const encodePrefix = Reflect.get(keys, 'encodePrefix')
    if (encodePrefix === undefined) throw invalidArgument('prefix', `keys of the codec ${this.keyName} have no prefixes`)
    return this.#encode(() => encodePrefix.call(keys, prefix))
  }

  /** A key from its own encoding. */
  keyOf(encoded: string | Uint8Array): K {
    if (typeof encoded === 'string' && this.keysAreText) return this.keyFromText(encoded)
    return this.keyFromBytes(typeof encoded === 'string' ? Buffer.from(encoded, 'utf8') : copyOf(encoded))
  }

  /** A key from text, if {@link keysAreText}. */
  keyFromText(text: string): K {
    return this.#isUtf8 ? (text as K) : (this.#keys as unknown as TextCodec<K>).decodeText(text)
  }

  /** A key from bytes; those become the user's. */
  keyFromBytes(bytes: Buffer): K {
    if (this.#isBinary) return bytes as K
    try {
      return this.#keys.decode(bytes)
    } catch (cause) {
      throw codecFailed('decode', 'a key', this.keyName, this.name, cause)
    }
  }

  /** On its own: a method that makes a function pays for it also when it returns before. */
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

function isLonger(text: string, bytes: number): boolean {
  return Buffer.byteLength(text, 'utf8') > bytes
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
