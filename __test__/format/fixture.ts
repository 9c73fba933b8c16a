// A fixture: a store's files as an older version left them, and what could be read from it then.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliDecompressSync } from 'node:zlib'
import { filesOf } from '../crash/mutations.ts'
import type { Content } from './content.ts'

const FIXTURES = fileURLToPath(new URL('fixtures', import.meta.url))

export interface Fixture {
  readonly name: string
  /** The files by their paths within the store. */
  readonly files: ReadonlyMap<string, Buffer>
  readonly content: Content
}

/** A fixture by its path below `fixtures`, such as `format-1/store/closed`. */
export function fixture(name: string): Fixture {
  const folder = join(FIXTURES, name)
  const files = filesOf(folder).map((file) => [file.replace(/\.br$/, ''), brotliDecompressSync(readFileSync(join(folder, file)))] as const)
  return { name, files: new Map(files), content: JSON.parse(readFileSync(`${folder}.json`, 'utf8')) as Content }
}

/** Puts the files into a folder, which is made. */
export function unpack({ files }: Fixture, folder: string): void {
  for (const [file, bytes] of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), bytes)
  }
}
