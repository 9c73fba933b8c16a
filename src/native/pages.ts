// Pages of packed entries, which native code fills. A page of which views are handed out is never used again; a page that is only decoded serves the next pass
// too.
import { TOO_BIG } from './binding.ts'
import type { Environment } from './environment.ts'
import { allocate } from './pool.ts'
import { PAGE_BYTES } from './scratch-pages.ts'

/** The pages of one pass, one after another: each larger than the last, and as large as the next entry needs. */
export class Pages {
  readonly #environment: Environment
  readonly #areReused: boolean
  #count = 0
  /** The current page, if it is to be used again. */
  #reused: Buffer | undefined
  /** How many bytes of the current page are written. */
  used = 0

  /** `areReused`: no views of a page are handed out. */
  constructor(environment: Environment, areReused: boolean) {
    this.#environment = environment
    this.#areReused = areReused
  }

  /** Makes `fill` fill the next page, and another one if the next entry needs more room. @throws what native code says */
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

  /** The current page is not read any more; harmless twice. */
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
