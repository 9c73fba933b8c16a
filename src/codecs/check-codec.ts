// Checks that a value is a codec, before a store takes it.
import { invalidArgument } from '../errors.ts'
import { isWellFormed } from '../internal/bytes.ts'
import type { Codec, KeyCodec } from './codec.ts'

const MAX_NAME_BYTES = 255

/** A codec of values or events. */
export function checkCodec(codec: unknown, argument: string): asserts codec is Codec<unknown> {
  const { name, encode, decode } = (codec ?? {}) as Partial<Codec<unknown>>
  if (typeof encode !== 'function' || typeof decode !== 'function') {
    throw invalidArgument(
      argument,
      typeof codec === 'function' ? 'a codec has encode and decode; a function that makes one has to be called' : 'a codec has encode and decode',
    )
  }
  if (typeof name !== 'string' || name === '' || Buffer.byteLength(name, 'utf8') > MAX_NAME_BYTES || !isWellFormed(name)) {
    throw invalidArgument(argument, `a codec has a name of 1 to ${MAX_NAME_BYTES} bytes, without lone surrogates`)
  }
}

/** A codec of keys. */
export function checkKeyCodec(codec: unknown, argument: string): asserts codec is KeyCodec<unknown> {
  checkCodec(codec, argument)
  if ((codec as Partial<KeyCodec<unknown>>).ordered !== true) throw invalidArgument(argument, 'a codec of keys preserves their order (`ordered: true`)')
}
