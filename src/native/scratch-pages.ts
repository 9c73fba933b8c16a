// Pages that are decoded and then used again, collected by size.
import { allocate } from './pool.ts'

/** The sizes that the pages of a scan grow through. */
export const PAGE_BYTES: readonly [number, number, number] = [4 * 1024, 16 * 1024, 64 * 1024]
const KEPT_PAGES = 8

/** Pages that are decoded and then used again. */
export class ScratchPages {
  readonly #free = new Map<number, Buffer[]>(PAGE_BYTES.map((bytes) => [bytes, []]))

  take(bytes: number): Buffer {
    return this.#free.get(bytes)?.pop() ?? allocate(bytes)
  }

  give(page: Buffer): void {
    const free = this.#free.get(page.length)
    if (free !== undefined && free.length < KEPT_PAGES) free.push(page)
  }
}
