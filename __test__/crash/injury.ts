// One way to damage a store's folder.
import { closeSync, copyFileSync, openSync, readSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** What is done to one file of a store, or to two, by their paths within the folder. */
export type Injury =
  | { readonly kind: 'flip'; readonly file: string; readonly offset: number; readonly bit: number }
  | { readonly kind: 'zero'; readonly file: string; readonly offset: number; readonly length: number }
  | { readonly kind: 'cut'; readonly file: string; readonly length: number }
  | { readonly kind: 'swap' | 'duplicate'; readonly file: string; readonly offset: number; readonly from: string; readonly at: number; readonly length: number }
  | { readonly kind: 'overwrite'; readonly file: string; readonly from: string }
  | { readonly kind: 'remove'; readonly file: string }
  | { readonly kind: 'replace' | 'add'; readonly file: string; readonly base64: string }

/** Zeros, swaps and duplicates reach no further than both files do: no file gets longer. */
export function injure(folder: string, injury: Injury): void {
  const path = join(folder, injury.file)
  switch (injury.kind) {
    case 'cut':
      return truncateSync(path, injury.length)
    case 'remove':
      return rmSync(path)
    case 'replace':
    case 'add':
      return writeFileSync(path, Buffer.from(injury.base64, 'base64'))
    case 'overwrite':
      return copyFileSync(join(folder, injury.from), path)
    case 'flip': {
      const byte = read(path, injury.offset, 1)
      return write(path, injury.offset, Buffer.of(byte.readUInt8(0) ^ (1 << injury.bit)))
    }
    case 'zero':
      return write(path, injury.offset, Buffer.alloc(read(path, injury.offset, injury.length).length))
    case 'swap':
    case 'duplicate': {
      const from = join(folder, injury.from)
      const [here, there] = [read(path, injury.offset, injury.length), read(from, injury.at, injury.length)]
      const length = Math.min(here.length, there.length)
      write(path, injury.offset, there.subarray(0, length))
      if (injury.kind === 'swap') write(from, injury.at, here.subarray(0, length))
      return undefined
    }
  }
}

/** The files that are other ones afterwards. */
export function injured(injury: Injury): string[] {
  return injury.kind === 'swap' ? [injury.file, injury.from] : [injury.file]
}

export function describe(injury: Injury): string {
  switch (injury.kind) {
    case 'flip':
      return `flip ${injury.file} byte ${injury.offset} bit ${injury.bit}`
    case 'zero':
      return `zero ${injury.file} ${injury.offset}+${injury.length}`
    case 'cut':
      return `cut ${injury.file} to ${injury.length}`
    case 'swap':
    case 'duplicate':
      return `${injury.kind} ${injury.from} ${injury.at}+${injury.length} and ${injury.file} ${injury.offset}`
    case 'overwrite':
      return `overwrite ${injury.file} with ${injury.from}`
    default:
      return `${injury.kind} ${injury.file}`
  }
}

function read(path: string, offset: number, length: number): Buffer {
  const fd = openSync(path, 'r')
  const bytes = Buffer.alloc(length)
  const count = readSync(fd, bytes, 0, length, offset)
  closeSync(fd)
  return bytes.subarray(0, count)
}

function write(path: string, offset: number, bytes: Uint8Array): void {
  const fd = openSync(path, 'r+')
  writeSync(fd, bytes, 0, bytes.length, offset)
  closeSync(fd)
}
