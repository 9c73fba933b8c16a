// Bytes as they are, as a key or as a value.
import { invalidArgument } from '../errors.ts'
import { brand } from '../internal/brand.ts'
import { isBytes } from '../internal/bytes.ts'
import type { Codec, KeyCodec } from './codec.ts'
import { refusal } from './refusal.ts'

/**
 * Bytes as they are; the codec's name is `binary`. Takes any `Uint8Array`, which is copied at the call, and gives a `Buffer` that is never written again. Keys
 * are ordered byte by byte. Anything else is `ERR_INVALID_ARGUMENT` as a key and `ERR_CODEC` as a value.
 *
 * @example
 * ```ts
 * const blobs = store.collection('blobs', { key: binary(), value: binary() })
 * await blobs.put(Buffer.from([0, 1]), new Uint8Array(16))
 * ```
 */
export function binary(): KeyCodec<Uint8Array> & Codec<Buffer, Uint8Array> {
  return BINARY
}

/** Bytes. @internal */
export class BinaryCodec {
  readonly name = 'binary'
  readonly ordered = true

  encode(bytes: Uint8Array): Uint8Array {
    if (!isBytes(bytes)) throw refusal(invalidArgument('key', 'a binary key is a Uint8Array'))
    return bytes
  }

  encodePrefix(prefix: Uint8Array): Uint8Array {
    return this.encode(prefix)
  }

  decode(bytes: Buffer): Buffer {
    return bytes
  }
}

brand(BinaryCodec, 'BinaryCodec')

/** The one instance. @internal */
export const BINARY: BinaryCodec = Object.freeze(new BinaryCodec())
