// Checks that a value is a codec, before a store takes it.
import { invalidArgument } from '../errors.ts'
import { isWellFormed } from '../internal/bytes.ts'
import type { Codec, KeyCodec } from './codec.ts'

const MAX_NAME_BYTES = 255

/** The name of a codec of values or events, which is asked for this once: it may be a getter, and what is checked is what is used. */
export function nameOfCodec(codec: unknown, argument: string): string {
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
  return name
}

/** The same of a codec of keys. */
export function nameOfKeyCodec(codec: unknown, argument: string): string {
  const name = nameOfCodec(codec, argument)
  if ((codec as Partial<KeyCodec<unknown>>).ordered !== true) throw invalidArgument(argument, 'a codec of keys preserves their order (`ordered: true`)')
  return name
}
