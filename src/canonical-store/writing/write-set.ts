// What a transaction writes, as the bytes that cross to native code: a head that the commit fills in, then one record after another. A record is complete or
// absent: `length` moves on only after every check, so a call that fails has written nothing.
//
//   head, 64 bytes   f64 seq | f64 timestamp | f64 first event id (0: none) | u32 events | u32 keys written | u32 keys deleted | u32 flags
//   record           u8 kind | u8 0 | u16 key length | u32 slot | u32 value length | key | value, padded to 4
import { limitExceeded } from '../../errors.ts'
import { lengthOf, readLatin1, writeBytes, writeUtf8 } from '../../internal/bytes.ts'
import { checkKeySize, keySizeBound } from '../key-size.ts'

export const HEAD_BYTES = 64
const RECORD_BYTES = 12
const FIRST_BYTES = 16 * 1024
const KEPT = 4
/** A larger buffer is not kept. */
const KEPT_BYTES = 1024 * 1024
/** For text up to this length, room is made without counting: 3 bytes for each code unit. */
const UNCOUNTED_UNITS = 16 * 1024

/** The kinds of records. */
export const PUT = 1
export const DELETE = 2
const EVENT = 3
const DROP = 4

/** Limits in bytes, checked by the call that exceeds them. */
export interface Limits {
  readonly keyBytes: number
  readonly valueBytes: number
  readonly eventBytes: number
  readonly transactionBytes: number
}

/** One growing buffer, used for one transaction after another. */
export class WriteSet {
  buffer: Buffer
  view: DataView
  /** All of the buffer's memory, as native code takes it. */
  memory: ArrayBuffer
  /** The place of the next record. */
  length: number = HEAD_BYTES
  /** The number of event records. */
  events = 0

  constructor(bytes: number = FIRST_BYTES) {
    this.buffer = Buffer.allocUnsafeSlow(bytes)
    this.memory = memoryOf(this.buffer)
    this.view = new DataView(this.memory)
  }

  get isEmpty(): boolean {
    return this.length === HEAD_BYTES
  }

  reset(): void {
    this.length = HEAD_BYTES
    this.events = 0
  }

  /** Sets the end of the records, and the number of events among them, back to an earlier value: undoes a call of several records that failed. */
  rewind(length: number, events: number): void {
    this.length = length
    this.events = events
  }

  /** A copy of exactly its content, for a commit that has to wait. */
  compact(): WriteSet {
    const copy = new WriteSet(this.length)
    this.buffer.copy(copy.buffer, 0, 0, this.length)
    copy.rewind(this.length, this.events)
    return copy
  }

  put(slot: number, key: string | Uint8Array, value: string | Uint8Array, limits: Limits): void {
    const valueRoom = checkedSize(value, limits.valueBytes, 'value', 'valueBytes')
    const keyRoom = keySizeBound(key, limits)
    const start = this.#begin(keyRoom + valueRoom)
    const keyBytes = this.#key(key, start + RECORD_BYTES, keyRoom, limits)
    const written = this.#write(value, start + RECORD_BYTES + keyBytes, valueRoom)
    if (written > limits.valueBytes) throw limitExceeded('the value', 'valueBytes', written, limits.valueBytes)
    this.#end(PUT, slot, keyBytes, written, limits)
  }

  delete(slot: number, key: string | Uint8Array, limits: Limits): void {
    const room = keySizeBound(key, limits)
    const start = this.#begin(room)
    this.#end(DELETE, slot, this.#key(key, start + RECORD_BYTES, room, limits), 0, limits)
  }

  event(payload: string | Uint8Array, limits: Limits): void {
    const room = checkedSize(payload, limits.eventBytes, 'event', 'eventBytes')
    const start = this.#begin(room)
    const written = this.#write(payload, start + RECORD_BYTES, room)
    if (written > limits.eventBytes) throw limitExceeded('the event', 'eventBytes', written, limits.eventBytes)
    this.#end(EVENT, 0, 0, written, limits)
    this.events++
  }

  /** Appends all records of another one, or none of them. */
  append(other: WriteSet, limits: Limits): void {
    const added = other.length - HEAD_BYTES
    const bytes = this.length - HEAD_BYTES + added
    if (bytes > limits.transactionBytes) throw limitExceeded('the transaction', 'transactionBytes', bytes, limits.transactionBytes)
    const start = this.#begin(added)
    other.buffer.copy(this.buffer, start, HEAD_BYTES, other.length)
    this.rewind(start + added, this.events + other.events)
  }

  drop(slot: number, limits: Limits): void {
    this.#begin(0)
    this.#end(DROP, slot, 0, 0, limits)
  }

  /** Calls `visit` for every put and delete from byte `from` on, with its slot, its key as a string of bytes, and the place of the record. */
  scan(from: number, visit: (slot: number, key: string, at: number) => void): void {
    const { buffer, view } = this
    for (let at = from; at < this.length; at = this.next(at)) {
      const kind = buffer[at]
      if (kind !== PUT && kind !== DELETE) continue
      const key = at + RECORD_BYTES
      visit(view.getUint32(at + 4, true), readLatin1(buffer, key, key + view.getUint16(at + 2, true)), at)
    }
  }

  /** The place of the record after the one at `at`. */
  next(at: number): number {
    return padded(at + RECORD_BYTES + this.view.getUint16(at + 2, true) + this.view.getUint32(at + 8, true))
  }

  isPut(at: number): boolean {
    return this.buffer[at] === PUT
  }

  /** A copy of a put's value. */
  valueBytes(at: number): Buffer {
    return Buffer.from(this.buffer.subarray(this.valueStart(at), this.valueEnd(at)))
  }

  keyStart(at: number): number {
    return at + RECORD_BYTES
  }

  valueStart(at: number): number {
    return at + RECORD_BYTES + this.view.getUint16(at + 2, true)
  }

  valueEnd(at: number): number {
    return this.valueStart(at) + this.view.getUint32(at + 8, true)
  }

  /** Makes room for a record with `bytes` of key and value, and returns its place. */
  #begin(bytes: number): number {
    const needed = this.length + RECORD_BYTES + bytes + 4
    if (needed > this.buffer.length) this.#grow(needed)
    return this.length
  }

  #end(kind: number, slot: number, keyBytes: number, valueBytes: number, limits: Limits): void {
    const { length: start, view } = this
    const end = padded(start + RECORD_BYTES + keyBytes + valueBytes)
    if (end - HEAD_BYTES > limits.transactionBytes) {
      throw limitExceeded('the transaction', 'transactionBytes', end - HEAD_BYTES, limits.transactionBytes)
    }
    for (let at = start + RECORD_BYTES + keyBytes + valueBytes; at < end; at++) this.buffer[at] = 0
    view.setUint16(start, kind, true)
    view.setUint16(start + 2, keyBytes, true)
    view.setUint32(start + 4, slot, true)
    view.setUint32(start + 8, valueBytes, true)
    this.length = end
  }

  #key(key: string | Uint8Array, at: number, room: number, limits: Limits): number {
    const bytes = this.#write(key, at, room)
    checkKeySize(key, bytes, limits)
    return bytes
  }

  /** `room` is what {@link keySizeBound} or {@link checkedSize} has found: of bytes as many as there are, of text at least so many. */
  #write(bytes: string | Uint8Array, at: number, room: number): number {
    if (typeof bytes === 'string') return writeUtf8(this.buffer, bytes, at)
    return writeBytes(this.buffer, bytes, at, room)
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2))
    this.buffer.copy(larger, 0, 0, this.length)
    this.buffer = larger
    this.memory = memoryOf(larger)
    this.view = new DataView(this.memory)
  }
}

/** Write sets that are not in use. */
const spare: WriteSet[] = []

/** An empty write set, to be given back. */
export function takeWriteSet(): WriteSet {
  return spare.pop() ?? new WriteSet()
}

export function giveWriteSet(set: WriteSet): void {
  if (set.buffer.length > KEPT_BYTES || spare.length === KEPT) return
  set.reset()
  spare.push(set)
}

function checkedSize(bytes: string | Uint8Array, max: number, what: string, limit: string): number {
  if (typeof bytes !== 'string') {
    const length = lengthOf(bytes)
    if (length > max) throw limitExceeded(`the ${what}`, limit, length, max)
    return length
  }
  if (bytes.length <= UNCOUNTED_UNITS) return bytes.length * 3
  const size = Buffer.byteLength(bytes, 'utf8')
  if (size > max) throw limitExceeded(`the ${what}`, limit, size, max)
  return size
}

function padded(at: number): number {
  return at + (-at & 3)
}

/** A slow buffer has separate memory and begins at its start. */
function memoryOf(buffer: Buffer): ArrayBuffer {
  return buffer.buffer as ArrayBuffer
}
