// LMDB's file, read as its newest meta page says: pages of 4 KiB, trees of them, databases by name. For files of machines with these pages, as the fixtures' are.
import { Bytes } from './bytes.ts'

const PAGE = 4096
const LEAF = 2
const BIG_DATA = 1
const NO_PAGE = 0xffff_ffff_ffff_ffffn

/** Of each named database its entries, in order. */
export function readLmdb(file: Buffer): Map<string, [key: Buffer, value: Buffer][]> {
  const metas = [0, 1].map((page) => {
    const fields = new Bytes(file, page * PAGE + 16)
    if (fields.u32() !== 0xbeefc0de || fields.u32() !== 1) throw new Error('no meta page')
    fields.take(16 + 48)
    const root = rootOf(fields.take(48))
    fields.take(8)
    return { root, transaction: fields.u64() }
  })
  const newest = metas.toSorted((a, b) => b.transaction - a.transaction)[0] as { root: bigint }
  return new Map([...leaves(file, newest.root)].map(([name, record]) => [name.toString(), [...leaves(file, rootOf(record))]]))
}

function rootOf(record: Buffer): bigint {
  return record.readBigUInt64LE(40)
}

function* leaves(file: Buffer, page: bigint): Generator<[key: Buffer, value: Buffer]> {
  if (page === NO_PAGE) return
  const start = Number(page) * PAGE
  const flags = file.readUInt16LE(start + 10)
  const count = (file.readUInt16LE(start + 12) - 16) / 2
  for (let i = 0; i < count; i++) {
    const fields = new Bytes(file, start + file.readUInt16LE(start + 16 + 2 * i))
    const [low, nodeFlags, keyLength] = [fields.u32(), fields.u16(), fields.u16()]
    const key = fields.take(keyLength)
    if ((flags & LEAF) === 0) yield* leaves(file, BigInt(low) + (BigInt(nodeFlags) << 32n))
    else if ((nodeFlags & BIG_DATA) === 0) yield [key, fields.take(low)]
    else yield [key, new Bytes(file, fields.u64() * PAGE + 16).take(low)]
  }
}
