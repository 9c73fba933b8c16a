// Text, as a key or as a value. UTF-8 bytes compare as code points do, so keys keep that order.
import { invalidArgument } from '../errors.ts'
import { brand } from '../internal/brand.ts'
import { isWellFormed } from '../internal/bytes.ts'
import type { Codec, KeyCodec } from './codec.ts'
import { refusal } from './refusal.ts'
import { TextCodec } from './text-codec.ts'

/**
 * Strings as UTF-8; the codec's name is `utf8`. Keys are ordered by code point. UTF-8 cannot encode a lone surrogate: such a string is `ERR_CODEC`. Anything
 * but a string is `ERR_CODEC` too as a value, and `ERR_INVALID_ARGUMENT` as a key.
 *
 * @example
 * ```ts
 * const notes = store.collection('notes', { value: utf8() })
 * await notes.put('today', 'rain')
 * ```
 */
export function utf8<T extends string = string>(): Codec<T> & KeyCodec<T> {
  return UTF8 as unknown as Codec<T> & KeyCodec<T>
}

/** Strings. @internal */
export class Utf8Codec extends TextCodec<string> {
  override readonly name = 'utf8'
  readonly ordered = true

  encode(text: string): string {
    if (typeof text !== 'string') throw refusal(invalidArgument('key', 'a utf8 key is a string'))
    if (!isWellFormed(text)) throw new TypeError('the string has a lone surrogate')
    return text
  }

  encodePrefix(prefix: string): string {
    return this.encode(prefix)
  }

  override decodeText(text: string): string {
    return text
  }
}

brand(Utf8Codec, 'Utf8Codec')

/** The one instance. @internal */
export const UTF8: Utf8Codec = Object.freeze(new Utf8Codec())
