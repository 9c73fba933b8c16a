// How large a key may be: at least one byte, at most `limits.keyBytes`. A write with another key is refused; a read finds nothing.
import { invalidArgument, limitExceeded } from '../errors.ts'
import { copyOf, lengthOf } from '../internal/bytes.ts'

/** Of a store's limits, the one for keys. */
export interface KeyLimits {
  readonly keyBytes: number
}

/** A key for messages: text as JSON, bytes as hex, cut at 32 characters. */
function keyText(key: string | Uint8Array): string {
  if (typeof key === 'string') return key.length > 32 ? `${JSON.stringify(key.slice(0, 32))}…` : JSON.stringify(key)
  const hex = copyOf(key).toString('hex', 0, 16)
  return lengthOf(key) > 16 ? `${hex}…` : hex
}

/** @throws `ERR_INVALID_ARGUMENT` for an empty key, `ERR_LIMIT` for one that is too long */
export function checkKey(key: string | Uint8Array, limits: KeyLimits): void {
  checkKeySize(key, typeof key === 'string' ? Buffer.byteLength(key, 'utf8') : lengthOf(key), limits)
}

/** The same for one whose length in bytes is known. */
export function checkKeySize(key: string | Uint8Array, bytes: number, limits: KeyLimits): void {
  if (bytes === 0) throw invalidArgument('key', 'a key is not empty')
  if (bytes > limits.keyBytes) throw limitExceeded(`the key ${keyText(key)}`, 'keyBytes', bytes, limits.keyBytes)
}

/** An upper bound of the key's bytes; one that is certainly too long is refused before room is made for it. */
export function keySizeBound(key: string | Uint8Array, limits: KeyLimits): number {
  const length = lengthOf(key)
  if (length > limits.keyBytes) checkKey(key, limits)
  return typeof key === 'string' ? length * 3 : length
}

/** Whether a key of this size can have been written. */
export function canBeKey(key: string | Uint8Array, { keyBytes }: KeyLimits): boolean {
  const units = lengthOf(key)
  if (units === 0 || units > keyBytes) return false
  return typeof key !== 'string' || units * 3 <= keyBytes || Buffer.byteLength(key, 'utf8') <= keyBytes
}
