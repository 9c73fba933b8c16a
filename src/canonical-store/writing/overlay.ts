// What an open transaction has written so far, for its own reads. Made at the first read by scanning the write set, and updated at each later one, so that a
// transaction that never reads pays nothing.
import { indexOf, type KeyBounds } from '../key-bounds.ts'
import { HEAD_BYTES, type WriteSet } from './write-set.ts'

/** More new keys than this are sorted together instead of inserted one by one. */
const MANY = 32

/** From this number of consecutive deleted keys on, a pass notes them for later passes. */
const NOTED_FROM = 32

/** A span in which the transaction sees nothing: it has deleted what was committed there. */
interface Gone {
  from: string
  to: string | undefined
}

class SlotWrites {
  /** The last record of each key, by the key's bytes. */
  #records = new Map<string, number>()
  #sorted: string[] = []
  #unsorted: string[] = []
  /** How many passes use these records and keys, which are not changed while one does. */
  #passes = 0
  /** Where ranges have begun, and where reversed ones have. */
  #head: Gone | undefined
  #tail: Gone | undefined

  find(key: string): number | undefined {
    return this.#records.get(key)
  }

  note(key: string, at: number, isPut: boolean): void {
    if (this.#passes > 0) {
      this.#records = new Map(this.#records)
      this.#sorted = [...this.#sorted]
      this.#passes = 0
    }
    if (!this.#records.has(key)) this.#unsorted.push(key)
    this.#records.set(key, at)
    if (!isPut) return
    if (this.#head !== undefined && includes(this.#head, key)) this.#head.to = key
    if (this.#tail !== undefined && includes(this.#tail, key)) this.#tail.from = `${key}\0`
  }

  pass(bounds: KeyBounds): OwnWrites {
    const records = this.#records
    const sorted = this.#sort()
    this.#passes++
    return new OwnWrites(this, sorted, records, bounds)
  }

  /** The range without the deleted keys at its beginning. */
  narrowed(bounds: KeyBounds): KeyBounds {
    const { start, end } = bounds
    const gone = bounds.reverse ? this.#tail : this.#head
    if (gone === undefined) return bounds
    if (!bounds.reverse) return gone.to !== undefined && start >= gone.from && start < gone.to ? bounds.from(gone.to) : bounds
    const isWithin = gone.to === undefined || (end !== undefined && end <= gone.to)
    return isWithin && (end === undefined || end > gone.from) ? bounds.from(gone.from) : bounds
  }

  /** A pass has ended. */
  release(records: ReadonlyMap<string, number>): void {
    if (this.#records === records) this.#passes--
  }

  /** All keys of a range before `key`, in its order, are deleted; with `isPassed` also `key`. As a pass has seen it, whose records may not be the present ones. */
  noteGone(records: ReadonlyMap<string, number>, bounds: KeyBounds, key: string, isPassed: boolean): void {
    if (this.#records !== records) return
    if (bounds.reverse) this.#tail = { from: isPassed ? key : `${key}\0`, to: bounds.end }
    else this.#head = { from: bounds.start, to: isPassed ? `${key}\0` : key }
  }

  #sort(): readonly string[] {
    const added = this.#unsorted
    if (added.length === 0) return this.#sorted
    this.#unsorted = []
    if (added.length > MANY) {
      for (const key of added) this.#sorted.push(key)
      this.#sorted.sort(byBytes)
    } else {
      for (const key of added) this.#sorted.splice(indexOf(this.#sorted, key, false), 0, key)
    }
    return this.#sorted
  }
}

/** A pass over the transaction's own writes in a range, as they are when it begins: later ones do not appear in it. */
export class OwnWrites {
  readonly #slot: SlotWrites
  readonly #keys: readonly string[]
  readonly #records: ReadonlyMap<string, number>
  readonly #reverse: boolean
  #at: number
  #left: number
  #isOpen = true

  constructor(slot: SlotWrites, sorted: readonly string[], records: ReadonlyMap<string, number>, bounds: KeyBounds) {
    const [from, to] = bounds.slice(sorted)
    this.#slot = slot
    this.#keys = sorted
    this.#records = records
    this.#reverse = bounds.reverse
    this.#at = bounds.reverse ? to - 1 : from
    this.#left = to - from
  }

  /** The current key; `undefined` at its end. */
  get key(): string | undefined {
    return this.#left > 0 ? this.#keys[this.#at] : undefined
  }

  /** The place of the last record of that key. */
  get record(): number {
    return this.#records.get(this.key as string) as number
  }

  advance(): void {
    this.#left--
    this.#at += this.#reverse ? -1 : 1
  }

  /**
   * A pass has skipped `passed` deleted keys before the first entry, which is `key`; with `isPassed` there was no entry, and `key` is the last of the deleted keys.
   */
  noteGone(bounds: KeyBounds, passed: number, key: string, isPassed: boolean): void {
    if (passed >= NOTED_FROM) this.#slot.noteGone(this.#records, bounds, key, isPassed)
  }

  /** A second call does nothing. */
  close(): void {
    if (this.#isOpen) this.#slot.release(this.#records)
    this.#isOpen = false
    this.#left = 0
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

  /** The place of the last record of a key; `undefined` when the transaction has not written it. */
  find(slot: number, key: string): number | undefined {
    return this.#slots.get(slot)?.find(key)
  }

  /** Takes in what has been written since; returns whether the transaction has written to this collection at all. */
  has(slot: number): boolean {
    if (this.#scannedTo < this.#writes.length) {
      this.#writes.scan(this.#scannedTo, (slot, key, at) => this.#slot(slot).note(key, at, this.#writes.isPut(at)))
      this.#scannedTo = this.#writes.length
    }
    return this.#slots.has(slot)
  }

  /** A range of a collection that the transaction has written to, without the keys at its beginning that it has deleted. */
  narrowed(slot: number, bounds: KeyBounds): KeyBounds {
    return this.#slot(slot).narrowed(bounds)
  }

  /** The writes between two bounds, in the order of the range. Close it. */
  pass(slot: number, bounds: KeyBounds): OwnWrites {
    return this.#slot(slot).pass(bounds)
  }

  #slot(slot: number): SlotWrites {
    let writes = this.#slots.get(slot)
    if (writes === undefined) this.#slots.set(slot, (writes = new SlotWrites()))
    return writes
  }
}

function includes({ from, to }: Gone, key: string): boolean {
  return key >= from && (to === undefined || key < to)
}

function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
