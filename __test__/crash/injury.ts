// One way to damage a store's folder.
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What is done to one file of a store, by its path within the folder. */
export type Injury =
  | { readonly kind: 'flip'; readonly file: string; readonly offset: number; readonly bit: number }
  | { readonly kind: 'cut'; readonly file: string; readonly length: number }
  | { readonly kind: 'remove'; readonly file: string }
  | { readonly kind: 'replace' | 'add'; readonly file: string; readonly base64: string }

export function injure(folder: string, injury: Injury): void {
  const path = join(folder, injury.file)
  if (injury.kind === 'cut') return truncateSync(path, injury.length)
  if (injury.kind === 'remove') return rmSync(path)
  if (injury.kind !== 'flip') return writeFileSync(path, Buffer.from(injury.base64, 'base64'))
  const bytes = readFileSync(path)
  bytes.writeUInt8(bytes.readUInt8(injury.offset) ^ (1 << injury.bit), injury.offset)
  return writeFileSync(path, bytes)
}

export function describe(injury: Injury): string {
  if (injury.kind === 'flip') return `flip ${injury.file} byte ${injury.offset} bit ${injury.bit}`
  if (injury.kind === 'cut') return `cut ${injury.file} to ${injury.length}`
  return `${injury.kind} ${injury.file}`
}
