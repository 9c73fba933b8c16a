// Pages of packed entries, which native code fills. A page that views are handed out of is never used again; one that is only decoded from serves
// the next pass too.
import { TOO_BIG } from './binding.ts'
import type { Environment } from './environment.ts'
import { allocate } from './pool.ts'
import { PAGE_BYTES } from './scratch-pages.ts'

/** The pages of one pass, one after the other: each larger than the last, and as large as the next entry needs. */
export class Pages {
  readonly #environment: Environment
  readonly #areReused: boolean
  #count = 0
  /** The page at hand, when it is to be used again. */
  #reused: Buffer | undefined
  /** How much of the page at hand is written. */
  used = 0

  /** `areReused`: nothing of a page is handed out. */
  constructor(environment: Environment, areReused: boolean) {
    this.#environment = environment
    this.#areReused = areReused
  }

  /** Has `fill` fill the next page, and another one when the next entry needs more room. @throws what native code says */
  load(fill: (page: Buffer) => number): Buffer {
    this.release()
    const environment = this.#environment
    let page = takePage(environment, this.#areReused, PAGE_BYTES[Math.min(this.#count++, PAGE_BYTES.length - 1)] as number)
    let used = fill(page)
    if (used === TOO_BIG) {
      page = allocate(roundedUp(page.readUInt32LE(0)))
      used = fill(page)
    }
    if (used < 0) throw environment.error()
    if (this.#areReused) this.#reused = page
    else environment.slab.keep(page, used)
    this.used = used
    return page
  }

  /** The page at hand is not looked at any more; harmless twice. */
  release(): void {
    const page = this.#reused
    if (page === undefined) return
    this.#reused = undefined
    this.#environment.pages.give(page)
  }
}

/** A page of at least so many bytes. */
export function takePage({ pages, slab }: Environment, isReused: boolean, needed: number): Buffer {
  const bytes = PAGE_BYTES.find((size) => size >= needed) ?? roundedUp(needed)
  return isReused ? pages.take(bytes) : slab.page(bytes)
}

function roundedUp(bytes: number): number {
  return bytes + (-bytes & 0xfff)
}
