// The built-in codecs whose bytes are text. Readers decode them from a string that they already have (a page decoded once, a reused buffer) instead of a Buffer made
// for one value.

import { brand } from '../internal/brand.ts'
import { readUtf8 } from '../internal/bytes.ts'

/** A codec that can start from the decoded text. @internal */
export abstract class TextCodec<T> {
  abstract readonly name: string
  abstract decodeText(text: string): T

  decode(bytes: Buffer): T {
    return this.decodeText(readUtf8(bytes, 0, bytes.length))
  }
}
brand(TextCodec, 'TextCodec')
