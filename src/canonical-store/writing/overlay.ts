// What an open transaction has written so far, for its own reads. Made by scanning the write set, at the first read and from there on at each
// later one, so that a transaction that never reads pays nothing.
import { indexOf, type KeyBounds } from '../key-bounds.ts'
import { HEAD_BYTES, type WriteSet } from './write-set.ts'

/** More new keys than this are sorted together instead of one by one. */
const MANY = 32

/** So many keys that the transaction has deleted, in a row, are passed over from then on. */
const NOTED_FROM = 32

/** A span without anything that the transaction can see: what was committed there it has deleted. */
interface Gone {
  from: string
  to: string | undefined
}

class SlotWrites {
  /** The last record of each key, by the key's bytes. */
  #records = new Map<string, number>()
  #sorted: string[] = []
  #unsorted: string[] = []
  /** Passes that look at these records and these keys: they are not changed under them. */
  #passes = 0
  /** From where ranges have begun, and from where those in reverse have. */
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

  /** The range without what is gone at its beginning. */
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

  /** Of a range everything is gone before `key`, in its order; with `isPassed` the key itself is. As a pass has seen it, over records that may not be those of now. */
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

/** A pass over the transaction's own writes of a range, as they are when it begins: later ones do not appear in it. */
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

  /** The key it stands at; `undefined` at its end. */
  get key(): string | undefined {
    return this.#left > 0 ? this.#keys[this.#at] : undefined
  }

  /** Where the last record of that key is. */
  get record(): number {
    return this.#records.get(this.key as string) as number
  }

  advance(): void {
    this.#left--
    this.#at += this.#reverse ? -1 : 1
  }

  /**
   * Of a range so many keys were passed over as deleted before the first entry, which `key` is; with `isPassed` there was none, and it is the last of
   * them.
   */
  noteGone(bounds: KeyBounds, passed: number, key: string, isPassed: boolean): void {
    if (passed >= NOTED_FROM) this.#slot.noteGone(this.#records, bounds, key, isPassed)
  }

  /** Harmless twice. */
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

  /** Where the last record of a key is; `undefined` when the transaction has not written it. */
  find(slot: number, key: string): number | undefined {
    return this.#slots.get(slot)?.find(key)
  }

  /** Takes in what has been written since, and tells whether the transaction has written to this collection at all. */
  has(slot: number): boolean {
    if (this.#scannedTo < this.#writes.length) {
      this.#writes.scan(this.#scannedTo, (slot, key, at) => this.#slot(slot).note(key, at, this.#writes.isPut(at)))
      this.#scannedTo = this.#writes.length
    }
    return this.#slots.has(slot)
  }

  /** A range of a collection that it has written to, without what the transaction has deleted at its beginning. */
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
