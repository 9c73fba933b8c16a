// Numbers that look random and are the same for the same seed, so that a failure is replayed by its seed.

/** A seeded generator (xorshift128, seeded through splitmix32). */
export class Random {
  #a: number
  #b: number
  #c: number
  #d: number

  constructor(seed: number) {
    let state = seed >>> 0
    const next = (): number => {
      state = (state + 0x9e3779b9) >>> 0
      let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
      return (mixed ^ (mixed >>> 15)) >>> 0
    }
    this.#a = next() | 1
    this.#b = next()
    this.#c = next()
    this.#d = next()
  }

  /** 32 random bits. */
  bits(): number {
    let t = this.#a ^ (this.#a << 11)
    t ^= t >>> 8
    this.#a = this.#b
    this.#b = this.#c
    this.#c = this.#d
    this.#d = (this.#d ^ (this.#d >>> 19) ^ t) >>> 0
    return this.#d
  }

  /** An integer from 0 to `end`, exclusive. */
  below(end: number): number {
    return Math.floor((this.bits() / 2 ** 32) * end)
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0
  }

  /** One of the elements. */
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T
  }
}

/** A seed for a run that has none: printed by the test, set again by `LEDGERSTONE_SEED`; it follows from `LEDGERSTONE_SEED_BASE` where that is set. */
export function runSeed(): number {
  const given = process.env['LEDGERSTONE_SEED']
  const base = process.env['LEDGERSTONE_SEED_BASE']
  if (given !== undefined) return Number(given)
  return base === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(BigInt(base) % 2n ** 31n)
}
