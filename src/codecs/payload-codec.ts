// A codec at work on the values of a collection or on events: what it throws, or returns wrongly, becomes an error that names the codec and the collection or event.
import { CodecError, errorOf, invalidArgument, ValidationError, type LedgerstoneError } from '../errors.ts'
import { isAscii, isBytes, isDetached, isWellFormed, lengthOf, readUtf8 } from '../internal/bytes.ts'
import { leaveUnheard } from '../internal/thenable.ts'
import { nameOfCodec } from './check-codec.ts'
import type { Codec } from './codec.ts'
import { takeRefusal } from './refusal.ts'
import { BinaryCodec } from './binary.ts'
import { TextCodec } from './text-codec.ts'
import { Utf8Codec } from './utf8.ts'

/** Encodes and decodes values or event payloads. */
export class PayloadCodec<T = unknown> {
  readonly name: string
  /** Payloads are best decoded from a string that the reader already has: then {@link fromText} is used, else {@link fromBytes}. */
  readonly isText: boolean
  /** Encoding returns its argument, and runs no user code. */
  readonly isPassedOn: boolean
  readonly #codec: Codec<T, unknown>
  readonly #text: TextCodec<unknown> | undefined
  readonly #collection: string | undefined

  /** @throws `ERR_INVALID_ARGUMENT` of the `argument` for what is no codec; `collection` is absent for events */
  constructor(codec: Codec<T, unknown>, argument: string, collection: string | undefined) {
    this.name = nameOfCodec(codec, argument)
    this.#codec = codec
    this.#text = codec instanceof TextCodec ? codec : undefined
    this.#collection = collection
    this.isText = this.#text !== undefined
    this.isPassedOn = codec instanceof BinaryCodec || codec instanceof Utf8Codec
  }

  /** Bytes to store, or text to store as UTF-8. */
  encode(value: unknown): string | Uint8Array {
    let encoded: string | Uint8Array
    try {
      encoded = this.#codec.encode(value)
    } catch (cause) {
      throw this.#error('encode', cause)
    }
    if (typeof encoded === 'string') {
      if (isWellFormed(encoded)) return encoded
      throw this.#error('encode', new TypeError('the text has a lone surrogate'))
    }
    if (isBytes(encoded)) {
      if (lengthOf(encoded) > 0 || !isDetached(encoded)) return encoded
      throw invalidArgument(this.#collection === undefined ? 'event' : 'value', 'the memory of the bytes was given away')
    }
    leaveUnheard(encoded)
    throw this.#error('encode', new TypeError('a codec encodes to bytes or a string'))
  }

  fromText(text: string): T {
    let value: unknown
    try {
      value = (this.#text as TextCodec<unknown>).decodeText(text)
    } catch (cause) {
      throw this.#error('decode', cause)
    }
    return value as T
  }

  /** From bytes that no other code has. */
  fromOwn(bytes: Buffer): T {
    return this.isText ? this.fromText(readUtf8(bytes, 0, bytes.length)) : this.fromBytes(bytes)
  }

  /** From the payload's bytes, one code unit each. */
  fromRaw(raw: string): T {
    if (!this.isText) return this.fromBytes(Buffer.from(raw, 'latin1'))
    return this.fromText(isAscii(raw) ? raw : Buffer.from(raw, 'latin1').toString('utf8'))
  }

  /** The codec, and through it the user, may keep `bytes`. */
  fromBytes(bytes: Buffer): T {
    let value: T
    try {
      value = this.#codec.decode(bytes)
    } catch (cause) {
      throw this.#error('decode', cause)
    }
    if (value === undefined) throw this.#error('decode', new TypeError('decode gave undefined, which means missing'))
    return value
  }

  #error(what: 'encode' | 'decode', cause: unknown): LedgerstoneError {
    // A codec of this package has given a better error.
    if (takeRefusal(cause)) {
      if (cause instanceof ValidationError && what === 'encode') return cause
      const { name: codec } = this
      const collection = this.#collection
      if (cause instanceof CodecError)
        return collection === undefined ? cause : errorOf('ERR_CODEC', `${cause.message} collection=${JSON.stringify(collection)}`, { codec, collection }, cause.cause)
    }
    return codecFailed(what, this.#collection === undefined ? 'an event' : 'a value', this.name, this.#collection, cause)
  }
}

/** An error about the payload of a stored event: adds the event's id to an `ERR_CODEC`. */
export function ofEvent(error: unknown, eventId: number): unknown {
  if (!(error instanceof CodecError)) return error
  const { codec } = error
  return errorOf('ERR_CODEC', `${error.message} eventId=${eventId}`, { codec, eventId }, error.cause)
}

/** `ERR_CODEC`. */
export function codecFailed(what: 'encode' | 'decode', of: string, codec: string, collection: string | undefined, cause: unknown): LedgerstoneError {
  const place = collection === undefined ? '' : ` collection=${JSON.stringify(collection)}`
  return errorOf('ERR_CODEC', `the codec cannot ${what} ${of}: codec=${codec}${place}`, { codec, ...(collection === undefined ? {} : { collection }) }, cause)
}
