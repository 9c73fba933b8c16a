// Memory for values. Two kinds, never mixed: what is handed out to users is written once and never again (fresh); what is decoded at once is used over and over
// (scratch). Neither can be given away by `postMessage`; `ArrayBuffer.prototype.transfer` can take the first kind, and new memory takes its place.
import { markAsUntransferable } from 'node:worker_threads'
import { invalidArgument } from '../errors.ts'

const SLAB_BYTES = 64 * 1024
/** A slab with less room than this is given up; a value up to this size always fits into one. */
const SMALL_BYTES = 4096

type ViewOf = new (memory: ArrayBufferLike, offset: number, length: number) => Buffer
/** Makes a Buffer over memory without the checks of `Buffer.from`; twice as fast. */
const FastBuffer = (Buffer as unknown as { readonly [Symbol.species]: ViewOf })[Symbol.species]

/** A view of memory that its owner will not write to again. */
export function view(memory: ArrayBufferLike, offset: number, length: number): Buffer {
  if (memory.byteLength === 0) checkKept(memory, length)
  return new FastBuffer(memory, offset, length)
}

/** @throws `ERR_INVALID_ARGUMENT` when a user has given away the memory of a value, and thereby of the values beside it, before they were read */
export function checkKept(memory: ArrayBufferLike, length: number): void {
  if (length > 0 && memory.byteLength === 0) throw invalidArgument('buffer', 'the memory of a value was transferred while others in it were being read; transfer a copy')
}

/** A Buffer with its own memory, not zeroed, that cannot be transferred. */
export function allocate(bytes: number): Buffer {
  const buffer = Buffer.allocUnsafeSlow(bytes)
  markAsUntransferable(buffer.buffer)
  return buffer
}

/** Memory for small values that users keep: one slab after another, each byte handed out once. */
export class Slab {
  memory: ArrayBuffer = allocate(SLAB_BYTES).buffer as ArrayBuffer
  /** The same memory, to read a number from. */
  data: DataView = new DataView(this.memory)
  /** The first byte not yet handed out; a multiple of 8. */
  offset = 0

  /** Makes room for a small value, before native code gets `memory` and `offset`. */
  prepare(): void {
    // `ArrayBuffer.prototype.transfer` takes memory in spite of the mark.
    if (this.offset > SLAB_BYTES - SMALL_BYTES || this.memory.byteLength === 0) this.#renew()
  }

  /** A separate function, as it is rare: V8 inlines the frequent part into its callers only as far as there is room. */
  #renew(): void {
    this.memory = allocate(SLAB_BYTES).buffer as ArrayBuffer
    this.data = new DataView(this.memory)
    this.offset = 0
  }

  /** Hands out the next `length` bytes. */
  take(length: number): Buffer {
    const { memory, offset } = this
    this.offset = (offset + length + 7) & ~7
    return new FastBuffer(memory, offset, length)
  }

  /** A page of `bytes` at the end of the slab, or with separate memory when it is larger; {@link keep} then says how much of it is used. */
  page(bytes: number): Buffer {
    if (bytes > SMALL_BYTES) return allocate(bytes)
    this.prepare()
    return new FastBuffer(this.memory, this.offset, bytes)
  }

  /** The first `used` bytes of a page stay handed out; the rest is free again. */
  keep(page: Buffer, used: number): void {
    if (page.buffer === this.memory && page.byteOffset === this.offset) this.offset = (this.offset + used + 7) & ~7
  }

  /** A copy that belongs to the user. */
  copy(from: Buffer, start: number, end: number): Buffer {
    const length = end - start
    if (length > SMALL_BYTES) {
      const own = allocate(length)
      from.copy(own, 0, start, end)
      return own
    }
    this.prepare()
    const own = this.take(length)
    from.copy(own, 0, start, end)
    return own
  }
}
