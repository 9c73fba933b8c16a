// Text and bytes, by Node's own fast paths of Buffer, which its public types leave out (Bun and Deno have them too). `Buffer.write` and
// `toString` go through them after sorting out their optional arguments. Where they are missing the public ones serve.

interface FastPaths {
  utf8Write?(text: string, offset: number, length: number): number
  latin1Write?(text: string, offset: number, length: number): number
  utf8Slice?(start: number, end: number): string
  latin1Slice?(start: number, end: number): string
}
const fast = Buffer.prototype as unknown as FastPaths
const utf8Write = fast.utf8Write ?? function (this: Buffer, text: string, offset: number, length: number): number {
  return this.write(text, offset, length, 'utf8')
}
const latin1Write = fast.latin1Write ?? function (this: Buffer, text: string, offset: number, length: number): number {
  return this.write(text, offset, length, 'latin1')
}
const utf8Slice = fast.utf8Slice ?? function (this: Buffer, start: number, end: number): string {
  return this.toString('utf8', start, end)
}
const latin1Slice = fast.latin1Slice ?? function (this: Buffer, start: number, end: number): string {
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

/** Writes bytes and returns how many. The caller has made room. */
export function writeBytes(to: Uint8Array, bytes: Uint8Array, offset: number): number {
  const length = bytes.length
  if (length > SHORT) to.set(bytes, offset)
  else for (let i = 0; i < length; i++) to[offset + i] = bytes[i] as number
  return length
}

/** Writes a string of bytes (code units up to 0xff). */
export function writeLatin1(to: Buffer, text: string, offset: number): number {
  return latin1Write.call(to, text, offset, to.length - offset)
}

/** The text of `from[start..end]`. */
export function readUtf8(from: Buffer, start: number, end: number): string {
  return utf8Slice.call(from, start, end)
}

/** The bytes of `from[start..end]`, one code unit each: strings of this kind compare as their bytes do. */
export function readLatin1(from: Uint8Array, start: number, end: number): string {
  return latin1Slice.call(from as Buffer, start, end)
}

/** The UTF-8 bytes of `text`, one code unit each. */
export function utf8AsLatin1(text: string): string {
  return isAscii(text) ? text : Buffer.from(text, 'utf8').toString('latin1')
}

/** Whether every character is below 0x80: then UTF-8, latin1 and the string itself are the same. */
export function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false
  return true
}

/** Whether `text` has no lone surrogate, that is, whether UTF-8 can say it. */
export function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed()
}

/** A Uint8Array of any realm. */
export function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array || isForeignBytes(value)
}

function isForeignBytes(value: unknown): boolean {
  return ArrayBuffer.isView(value) && Object.prototype.toString.call(value) === '[object Uint8Array]'
}

/** A copy that nobody else writes to; text is immutable as it is. */
export function owned<T extends Uint8Array | string>(bytes: T): Uint8Array | string {
  return typeof bytes === 'string' ? bytes : Uint8Array.prototype.slice.call(bytes)
}
