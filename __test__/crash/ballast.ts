// A foreign file that fills a device, all of it or all but a little.
import { closeSync, fsyncSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs'

const PIECES = [1 << 20, 1 << 16, 1 << 12]

/** The file at `path`. */
export class Ballast {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  /** Takes all the room there is, then gives back `spareBytes`. */
  fill(spareBytes = 0): void {
    const file = openSync(this.#path, 'a')
    let bytes = 0
    for (const piece of PIECES) {
      const block = Buffer.alloc(piece, 0x62)
      for (let written = piece; written > 0; bytes += written) written = writeUpTo(file, block)
    }
    if (spareBytes > 0) ftruncateSync(file, Math.max(0, bytes - spareBytes))
    fsyncSync(file)
    closeSync(file)
  }

  remove(): void {
    rmSync(this.#path, { force: true })
  }
}

function writeUpTo(file: number, block: Buffer): number {
  try {
    return writeSync(file, block)
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOSPC') return 0
    throw error
  }
}
