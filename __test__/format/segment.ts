// A segment of the event log, read by its description in docs/FORMATS.md alone.
import * as zlib from 'node:zlib'
import { crc32c } from '../crash/crc32c.ts'
import { Bytes, u64 } from './bytes.ts'

export interface SegmentEvent {
  readonly id: number
  readonly timestamp: number
  readonly payload: Buffer
}
export interface EventFrame {
  readonly offset: number
  readonly end: number
  readonly firstId: number
  readonly count: number
  readonly timestamp: number
  readonly flags: number
  readonly flushedUpto: number
  /** `undefined` where this Node cannot take the body apart. */
  readonly events: readonly SegmentEvent[] | undefined
}
export interface Footer {
  readonly indexOffset: number
  readonly index: readonly (readonly [id: number, offset: number, timestamp: number])[]
  readonly firstId: number
  readonly nextId: number
  readonly firstTimestamp: number
  readonly lastTimestamp: number
  readonly framesEnd: number
  readonly frames: number
}
export interface Segment {
  readonly storeId: Buffer
  readonly firstId: number
  readonly frames: readonly EventFrame[]
  readonly footer: Footer | undefined
}

export function readSegment(bytes: Buffer): Segment {
  const fields = new Bytes(bytes)
  fields.magic('LGST-EVT')
  if (fields.u16() !== 1) throw new Error('not format 1')
  fields.zeros(2)
  const [storeId, firstId, salt] = [fields.take(16), fields.u64(), fields.take(8)]
  fields.crc(bytes.subarray(0, 44))
  fields.zeros(4096 - 48)
  const frames: EventFrame[] = []
  for (let [at, id] = [4096, firstId]; ;) {
    const frame = readFrame(bytes, at, salt, id) ?? readFrame(bytes, Math.ceil(at / 4096) * 4096, salt, id)
    if (frame === undefined) return { storeId, firstId, frames, footer: readFooter(bytes, salt) }
    frames.push(frame)
    ;[at, id] = [frame.end, frame.firstId + frame.count]
  }
}

function readFrame(file: Buffer, offset: number, salt: Buffer, id: number): EventFrame | undefined {
  if (offset + 44 > file.length) return undefined
  const fields = new Bytes(file, offset)
  const length = fields.u32()
  if (length < 44 || offset + length > file.length) return undefined
  const frame = file.subarray(offset, offset + length)
  if (fields.u32() !== crc32c(Buffer.concat([salt, u64(offset), frame.subarray(0, 4), frame.subarray(8)]))) return undefined
  const [firstId, count, timestamp, flags, rawLength, flushedUpto] = [fields.u64(), fields.u32(), fields.u64(), fields.u32(), fields.u32(), fields.u64()]
  if (firstId !== id) return undefined
  const stored = fields.take(length - 44)
  if (flags === 0 ? length !== 44 + rawLength : length >= 44 + rawLength) throw new Error(`lengths of the frame at ${offset}`)
  const body = flags === 0 ? stored : flags === 1 ? lz4(stored, rawLength) : zstd(stored)
  const events = body === undefined ? undefined : eventsOf(body, rawLength, firstId, count, timestamp)
  return { offset, end: Math.ceil((offset + length) / 8) * 8, firstId, count, timestamp, flags, flushedUpto, events }
}

function eventsOf(body: Buffer, rawLength: number, firstId: number, count: number, base: number): SegmentEvent[] {
  if (body.length !== rawLength) throw new Error(`${body.length} bytes instead of ${rawLength}`)
  const fields = new Bytes(body)
  const table = Array.from({ length: count }, () => [fields.u32(), fields.u32()] as const)
  const events = table.map(([length, delta], i) => ({ id: firstId + i, timestamp: base + delta, payload: fields.take(length) }))
  if (fields.at !== body.length) throw new Error(`${body.length - fields.at} bytes behind the payloads`)
  return events
}

function readFooter(bytes: Buffer, salt: Buffer): Footer | undefined {
  const start = bytes.length - 80
  if (bytes.subarray(start, start + 8).toString('latin1') !== 'LGST-EVF') return undefined
  const fields = new Bytes(bytes, start + 8)
  const [indexOffset, entries] = [fields.u64(), fields.u32()]
  if (indexOffset + 24 * entries !== start) throw new Error('the footer does not stand behind the index')
  fields.crc(salt, u64(indexOffset), bytes.subarray(indexOffset, start))
  const [firstId, nextId, firstTimestamp, lastTimestamp, framesEnd, frames] = [fields.u64(), fields.u64(), fields.u64(), fields.u64(), fields.u64(), fields.u64()]
  fields.zeros(4)
  fields.crc(salt, u64(start), bytes.subarray(start, start + 76))
  const inIndex = new Bytes(bytes, indexOffset)
  const index = Array.from({ length: entries }, () => [inIndex.u64(), inIndex.u64(), inIndex.u64()] as const)
  return { indexOffset, index, firstId, nextId, firstTimestamp, lastTimestamp, framesEnd, frames }
}

/** The block format of LZ4: literals, then a copy of what is already there, again and again. */
function lz4(block: Buffer, length: number): Buffer {
  const out = Buffer.alloc(length)
  const fields = new Bytes(block)
  let end = 0
  const longer = (nibble: number): number => {
    let total = nibble
    for (let more = nibble === 15 ? 255 : 0; more === 255; total += more) more = fields.u8()
    return total
  }
  while (fields.at < block.length) {
    const token = fields.u8()
    end += fields.take(longer(token >> 4)).copy(out, end)
    if (fields.at === block.length) break
    const distance = fields.u16()
    const copied = longer(token & 15) + 4
    for (let i = 0; i < copied; i++, end++) out[end] = out[end - distance] as number
  }
  return out.subarray(0, end)
}

/** Node has Zstandard since 22.15; before, only its mark is looked at. */
function zstd(frame: Buffer): Buffer | undefined {
  if (frame.readUInt32LE() !== 0xfd2fb528) throw new Error('not Zstandard')
  const { zstdDecompressSync } = zlib as { zstdDecompressSync?: (bytes: Buffer) => Buffer }
  return zstdDecompressSync?.(frame)
}
