// What an open transaction has written so far, for its own reads. Made by scanning the write set, at the first read and from there on at each
// later one, so that a transaction that never reads pays nothing.
import type { KeyBounds } from './key-bounds.ts'
import { HEAD_BYTES, type WriteSet } from './write-set.ts'

/** More new keys than this are sorted together instead of one by one. */
const MANY = 32

/** A key of the transaction's own and where its last record is. */
export interface OwnWrite {
  readonly key: string
  readonly at: number
}

class SlotWrites {
  /** The last record of each key, by the key's bytes. */
  readonly records = new Map<string, number>()
  readonly #sorted: string[] = []
  #unsorted: string[] = []

  note(key: string, at: number): void {
    if (!this.records.has(key)) this.#unsorted.push(key)
    this.records.set(key, at)
  }

  get sorted(): readonly string[] {
    const added = this.#unsorted
    if (added.length === 0) return this.#sorted
    this.#unsorted = []
    if (added.length > MANY) {
      for (const key of added) this.#sorted.push(key)
      this.#sorted.sort(byBytes)
    } else {
      for (const key of added) this.#sorted.splice(placeOf(this.#sorted, key), 0, key)
    }
    return this.#sorted
  }
}

/** The writes of one transaction, by collection and key. */
export class Overlay {
  readonly #writes: WriteSet
  readonly #slots = new Map<number, SlotWrites>()
  #scannedTo = HEAD_BYTES

  constructor(writes: WriteSet) {
    this.#writes = writes
  }

  /** Where the last record of a key is; `undefined` when the transaction has not written it. */
  find(slot: number, key: string): number | undefined {
    return this.#slots.get(slot)?.records.get(key)
  }

  /** Takes in what has been written since, and tells whether the transaction has written to this collection at all. */
  has(slot: number): boolean {
    if (this.#scannedTo < this.#writes.length) {
      this.#writes.scan(this.#scannedTo, (slot, key, at) => this.#slot(slot).note(key, at))
      this.#scannedTo = this.#writes.length
    }
    return this.#slots.has(slot)
  }

  /** The writes between two bounds, in the order of the range; later ones do not appear in it. */
  between(slot: number, bounds: KeyBounds): OwnWrite[] {
    const writes = this.#slots.get(slot)
    if (writes === undefined) return []
    const { sorted } = writes
    const own = sorted.slice(...bounds.slice(sorted)).map((key) => ({ key, at: writes.records.get(key) as number }))
    return bounds.reverse ? own.toReversed() : own
  }

  #slot(slot: number): SlotWrites {
    let writes = this.#slots.get(slot)
    if (writes === undefined) this.#slots.set(slot, (writes = new SlotWrites()))
    return writes
  }
}

function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function placeOf(sorted: readonly string[], key: string): number {
  let from = 0
  let to = sorted.length
  while (from < to) {
    const middle = (from + to) >>> 1
    if ((sorted[middle] as string) < key) from = middle + 1
    else to = middle
  }
  return from
}
