// Text and bytes, by Buffer's internal fast paths, which its public types leave out (Bun and Deno have them too). `Buffer.write` and `toString` use them after sorting
// out their optional arguments. Where they are missing, the public methods serve.
import { types } from 'node:util'

interface FastPaths {
  utf8Write?(text: string, offset: number, length: number): number
  latin1Write?(text: string, offset: number, length: number): number
  utf8Slice?(start: number, end: number): string
  latin1Slice?(start: number, end: number): string
}
const fast = Buffer.prototype as unknown as FastPaths
const utf8Write =
  fast.utf8Write ??
  function (this: Buffer, text: string, offset: number, length: number): number {
    return this.write(text, offset, length, 'utf8')
  }
const latin1Write =
  fast.latin1Write ??
  function (this: Buffer, text: string, offset: number, length: number): number {
    return this.write(text, offset, length, 'latin1')
  }
const utf8Slice =
  fast.utf8Slice ??
  function (this: Buffer, start: number, end: number): string {
    return this.toString('utf8', start, end)
  }
const latin1Slice =
  fast.latin1Slice ??
  function (this: Buffer, start: number, end: number): string {
    return this.toString('latin1', start, end)
  }

// Below this many characters a loop here is faster than a call into Node.
const SHORT = 40

/** Writes `text` as UTF-8 and returns the bytes written. The caller has made room. */
export function writeUtf8(to: Buffer, text: string, offset: number): number {
  const length = text.length
  if (length <= SHORT) {
    let i = 0
    for (; i < length; i++) {
      const unit = text.charCodeAt(i)
      if (unit > 0x7f) break
      to[offset + i] = unit
    }
    if (i === length) return length
  }
  return utf8Write.call(to, text, offset, to.length - offset)
}

/**
 * Writes the first `length` bytes, for which the caller has made room, and returns how many. It is the length that was looked at for that: another thread
 * may have made the memory larger since. What stands behind them in `to` means nothing afterwards.
 */
export function writeBytes(to: Uint8Array, bytes: Uint8Array, offset: number, length: number): number {
  if (length <= SHORT || !hasSet(to, bytes, offset)) for (let i = 0; i < length; i++) to[offset + i] = bytes[i] as number
  return length
}

/** Whether all of them had room. */
function hasSet(to: Uint8Array, bytes: Uint8Array, offset: number): boolean {
  try {
    to.set(bytes, offset)
    return true
  } catch {
    return false // there are more than there were
  }
}

/** Writes a string of bytes (code units up to 0xff). */
export function writeLatin1(to: Buffer, text: string, offset: number): number {
  return latin1Write.call(to, text, offset, to.length - offset)
}

/** The text of `from[start..end]`. */
export function readUtf8(from: Buffer, start: number, end: number): string {
  return utf8Slice.call(from, start, end)
}

/** The bytes of `from[start..end]`, one code unit each: such strings compare as their bytes do. */
export function readLatin1(from: Uint8Array, start: number, end: number): string {
  return latin1Slice.call(from as Buffer, start, end)
}

/** The UTF-8 bytes of `text`, one code unit each. */
export function utf8AsLatin1(text: string): string {
  return isAscii(text) ? text : Buffer.from(text, 'utf8').toString('latin1')
}

/** Whether every character is below 0x80: then UTF-8, latin1 and the string itself have the same bytes. */
export function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false
  return true
}

/** Whether `text` has no lone surrogate, so that UTF-8 can encode it. */
export function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed()
}

// A Uint8Array's properties may be the user's: a subclass, or the object itself, can define `length`, `buffer` or a tag. The getters on the language's prototype read the
// real ones.
const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object
const tagGetter = getterOf<string | undefined>(typedArray, Symbol.toStringTag)
const lengthGetter = getterOf<number>(typedArray, 'length')
const bufferGetter = getterOf<ArrayBufferLike>(typedArray, 'buffer')
const setBytes = Uint8Array.prototype.set

function getterOf<T>(of: object, name: PropertyKey): (this: unknown) => T {
  return (Object.getOwnPropertyDescriptor(of, name) as { readonly get: (this: unknown) => T }).get
}

/** A Uint8Array of any realm. */
export function isBytes(value: unknown): value is Uint8Array {
  return tagGetter.call(value) === 'Uint8Array'
}

/** The number of bytes, or of code units of a string. */
export function lengthOf(bytes: Uint8Array | string): number {
  return typeof bytes === 'string' ? bytes.length : lengthGetter.call(bytes)
}

/** Whether their memory was given away (`transfer`, `postMessage`): then there are none, which no caller intends. */
export function isDetached(bytes: Uint8Array): boolean {
  if (lengthGetter.call(bytes) > 0) return false
  try {
    return new Uint8Array(bufferGetter.call(bytes)).length < 0
  } catch {
    return true // there are no views of detached memory
  }
}

/** Whether other threads may write to them. */
export function isShared(bytes: Uint8Array): boolean {
  return types.isSharedArrayBuffer(bufferGetter.call(bytes))
}

/** A copy that no other code writes to. */
export function copyOf(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(lengthOf(bytes))
  // As many as there were, if the buffer grows during the copy: `set` would refuse.
  if (isShared(bytes)) for (let i = 0; i < copy.length; i++) copy[i] = bytes[i] as number
  else setBytes.call(copy, bytes)
  return copy
}

/** The same for bytes that may change; text is returned as it is, since it is immutable. */
export function owned(bytes: Uint8Array | string): Uint8Array | string {
  return typeof bytes === 'string' ? bytes : copyOf(bytes)
}
