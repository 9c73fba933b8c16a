// The journal's files, read by their description in docs/FORMATS.md alone.
import { crc32c } from '../crash/crc32c.ts'
import { Bytes } from './bytes.ts'

const KINDS = ['', 'commit', 'seal', 'unseal', 'trim'] as const
const OPERATIONS = ['', 'put', 'delete', 'create collection', 'drop collection', 'set meta'] as const

export interface JournalHeader {
  readonly storeId: Buffer
  readonly number: number
  readonly firstSeq: number
  readonly salt: Buffer
  readonly crcBefore: number
}
export interface Operation {
  readonly kind: (typeof OPERATIONS)[number]
  readonly collection: number
  readonly key: Buffer
  readonly value: Buffer
}
export interface JournalFrame {
  readonly file: number
  readonly offset: number
  readonly length: number
  readonly crc: number
  readonly kind: (typeof KINDS)[number]
  readonly seq: number
  readonly firstEventId: number
  readonly timestamp: number
  readonly durableUpto: number
  readonly events: readonly Buffer[]
  readonly operations: readonly Operation[]
}

export interface Journal {
  readonly headers: readonly JournalHeader[]
  readonly frames: readonly JournalFrame[]
  readonly spares: readonly number[]
}

/** The headers and frames of all files that are in use, in order, and the numbers of those that are not. */
export function readJournal(files: ReadonlyMap<string, Buffer>): Journal {
  const headers: JournalHeader[] = []
  const used: Buffer[] = []
  const spares: number[] = []
  for (const name of [...files.keys()].toSorted()) {
    const bytes = files.get(name) as Buffer
    const number = Number(/^journal\/journal-(\d{20})\.wal$/.exec(name)?.[1] ?? Number.NaN)
    if (Number.isNaN(number)) continue
    const header = bytes.subarray(0, 58).every((byte) => byte === 0) ? undefined : readHeader(bytes)
    if (header?.number === number) {
      headers.push(header)
      used.push(bytes)
    } else {
      if (header !== undefined && header.number > number) throw new Error(`${name} holds ${header.number}`)
      spares.push(number)
    }
  }
  const frames: JournalFrame[] = []
  headers.forEach((header, i) => {
    const next = headers[i + 1]
    let [seq, crc, at] = [header.firstSeq, header.crcBefore, 4096]
    for (;;) {
      if (next?.firstSeq === seq && next.crcBefore === crc) break
      const frame = readFrame(used[i] as Buffer, at, header, seq, crc) ?? readFrame(used[i] as Buffer, Math.ceil(at / 4096) * 4096, header, seq, crc)
      if (frame === undefined) {
        if (next !== undefined) throw new Error(`journal ${header.number} does not lead to ${next.number}`)
        break
      }
      frames.push(frame)
      ;[seq, crc, at] = [seq + 1, frame.crc, frame.offset + frame.length]
    }
  })
  return { headers, frames, spares }
}

function readHeader(bytes: Buffer): JournalHeader {
  const fields = new Bytes(bytes)
  fields.magic('LGST-JRN')
  if (fields.u16() !== 1) throw new Error('not format 1')
  const header = { storeId: fields.take(16), number: fields.u64(), firstSeq: fields.u64(), salt: fields.take(8), crcBefore: fields.u32() }
  fields.crc(bytes.subarray(0, 54))
  fields.zeros(4096 - 58)
  return header
}

/** The frame at an offset, if one verifies there that follows the one before. */
function readFrame(file: Buffer, offset: number, header: JournalHeader, seq: number, crcBefore: number): JournalFrame | undefined {
  if (offset + 56 > file.length) return undefined
  const fields = new Bytes(file, offset)
  const length = fields.u32()
  if (length < 56 || length % 8 !== 0 || offset + length > file.length) return undefined
  const crc = fields.u32()
  const frame = file.subarray(offset, offset + length)
  if (crc !== crc32c(Buffer.concat([header.salt, frame.subarray(0, 4), frame.subarray(8)])) || fields.u32() !== crcBefore) return undefined
  const kind = KINDS[fields.u8()] ?? ''
  fields.zeros(3)
  const [foundSeq, firstEventId, timestamp, durableUpto, eventCount, operationCount] = [
    fields.u64(),
    fields.u64(),
    fields.u64(),
    fields.u64(),
    fields.u32(),
    fields.u32(),
  ]
  if (foundSeq !== seq) return undefined
  const lengths = Array.from({ length: eventCount }, () => fields.u32())
  const events = lengths.map((bytes) => fields.take(bytes))
  const operations = Array.from({ length: operationCount }, () => {
    const [kind, collection, keyLength, valueLength] = [OPERATIONS[fields.u8()] ?? '', fields.u32(), fields.u16(), fields.u32()]
    return { kind, collection, key: fields.take(keyLength), value: fields.take(valueLength) }
  })
  const padding = offset + length - fields.at
  if (padding < 0 || padding > 7) throw new Error(`${padding} bytes of padding in the frame of ${seq}`)
  fields.zeros(padding)
  return { file: header.number, offset, length, crc, kind, seq, firstEventId, timestamp, durableUpto, events, operations }
}
