// Reads fields one behind the other, as docs/FORMATS.md lists them, and checks what must be zero. Knows nothing of the engine.
import { crc32c } from '../crash/crc32c.ts'

/** A place in bytes that moves with each field. */
export class Bytes {
  readonly bytes: Buffer
  at: number

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes
    this.at = at
  }

  take(length: number): Buffer {
    if (this.at + length > this.bytes.length) throw new Error(`${length} bytes at ${this.at} of ${this.bytes.length}`)
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  u8(): number {
    return this.take(1).readUInt8()
  }

  u16(): number {
    return this.take(2).readUInt16LE()
  }

  u32(): number {
    return this.take(4).readUInt32LE()
  }

  u64(): number {
    const value = this.take(8).readBigUInt64LE()
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Error(`${value} before ${this.at}`)
    return Number(value)
  }

  text(): string {
    return this.take(this.u16()).toString()
  }

  /** `length` bytes that are zero. */
  zeros(length: number): void {
    const at = this.at
    if (!this.take(length).every((byte) => byte === 0)) throw new Error(`not zero: ${length} bytes at ${at}`)
  }

  /** Fails unless the next bytes are these. */
  magic(text: string): void {
    const found = this.take(text.length).toString('latin1')
    if (found !== text) throw new Error(`${found} instead of ${text}`)
  }

  /** Fails unless the next field is the checksum of these parts, one behind the other. */
  crc(...parts: readonly Uint8Array[]): number {
    const found = this.u32()
    const computed = crc32c(Buffer.concat(parts))
    if (found !== computed) throw new Error(`checksum ${found} instead of ${computed} before ${this.at}`)
    return found
  }
}

export function u64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}
