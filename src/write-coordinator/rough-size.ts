// Estimates the memory of a value, to bound what waits. Looks at a bounded number of parts, however large the value is.
import { isAnyArrayBuffer, isMap, isSet } from '../internal/platform.ts'

/** How many elements or fields of each part are measured; the others count as much as these. */
const SAMPLE = 32
const MAX_PARTS = 512
const MAX_DEPTH = 8
const FLAT_BYTES = 16

/** In bytes. May run getters of the value, and throw what they throw. */
export function roughSize(value: unknown): number {
  return new Estimate().of(value, 0)
}

class Estimate {
  #parts = 0

  of(value: unknown, depth: number): number {
    if (typeof value === 'string') return FLAT_BYTES + 2 * value.length
    if (typeof value !== 'object' || value === null) return FLAT_BYTES
    if (ArrayBuffer.isView(value)) return FLAT_BYTES + value.byteLength
    if (isAnyArrayBuffer(value)) return FLAT_BYTES + value.byteLength
    if (++this.#parts > MAX_PARTS || depth >= MAX_DEPTH) return FLAT_BYTES
    if (Array.isArray(value)) return FLAT_BYTES + this.#elements(value, depth)
    if (isMap(value) || isSet(value)) return FLAT_BYTES + this.#entries(value, depth)
    return FLAT_BYTES + this.#fields(value as Record<string, unknown>, depth)
  }

  #elements(values: readonly unknown[], depth: number): number {
    let bytes = 0
    const count = Math.min(values.length, SAMPLE)
    for (let n = 0; n < count; n++) bytes += this.of(values[n], depth + 1)
    return count === 0 ? 0 : (bytes * values.length) / count
  }

  /** Of a set each element counts twice, as its iterator gives it as key and value. */
  #entries(values: ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>, depth: number): number {
    let bytes = 0
    let count = 0
    for (const [key, value] of values.entries()) {
      if (++count > SAMPLE) break
      bytes += this.of(key, depth + 1) + this.of(value, depth + 1)
    }
    return count === 0 ? 0 : (bytes * values.size) / Math.min(count, SAMPLE)
  }

  #fields(value: Readonly<Record<string, unknown>>, depth: number): number {
    const names = Object.keys(value)
    let bytes = 0
    for (const name of names.slice(0, SAMPLE)) bytes += this.of(value[name], depth + 1)
    return names.length === 0 ? 0 : (bytes * names.length) / Math.min(names.length, SAMPLE)
  }
}
