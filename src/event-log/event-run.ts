// One iteration over events, by packed pages. It gives the events that existed when it began. Native code holds nothing for it between pages, so events that
// are trimmed before they are reached are an error, never a gap.
import { Pages } from '../native/pages.ts'
import { checkKept, view } from '../native/pool.ts'
import type { LogHandle } from './log-handle.ts'
import type { EventId } from './log-types.ts'

const PAGE_HEAD = 16
const ENTRY_HEAD = 16

/** An iterator of ids and payloads. */
export class EventRun implements IterableIterator<[EventId, Buffer]> {
  readonly #log: LogHandle
  #from: EventId
  #end: EventId
  #hasBegun = false
  #isDone = false
  readonly #pages: Pages
  /** The page's memory and where the page begins in it: asking a Buffer for its memory costs a call. */
  #memory: ArrayBufferLike | undefined
  #base = 0
  #data: DataView | undefined
  #id = 0
  #left = 0
  #next = 0

  /** From `start` (0: the oldest event) up to but not including `end`. */
  constructor(log: LogHandle, start: EventId, end: EventId) {
    this.#log = log
    this.#pages = new Pages(log.environment, false)
    this.#from = start
    this.#end = end
  }

  next(): IteratorResult<[EventId, Buffer], undefined> {
    if (this.#isDone) return { value: undefined, done: true }
    try {
      this.#log.check()
      if (this.#left > 0 || this.#load()) return { value: this.#take(), done: false }
    } catch (error) {
      this.return()
      throw error
    }
    return this.return()
  }

  return(): IteratorResult<[EventId, Buffer], undefined> {
    this.#isDone = true
    this.#memory = this.#data = undefined
    return { value: undefined, done: true }
  }

  [Symbol.iterator](): this {
    return this
  }

  /** Reads the next page; false at the end. */
  #load(): boolean {
    if (!this.#hasBegun) {
      this.#hasBegun = true
      this.#end = Math.min(this.#end, this.#log.ends()[1] as number)
    }
    if (this.#from >= this.#end) return false
    const { hot } = this.#log.environment
    const { buffer: memory, byteOffset: base } = this.#pages.load((page) => hot.logPage(this.#log.id, this.#from, this.#end, page))
    this.#memory = memory
    this.#base = base
    this.#data = new DataView(memory, base, this.#pages.used)
    this.#left = this.#data.getUint32(0, true)
    this.#id = this.#data.getFloat64(8, true)
    this.#from = this.#id + this.#left
    this.#next = PAGE_HEAD
    return this.#left > 0
  }

  #take(): [EventId, Buffer] {
    checkKept(this.#memory as ArrayBufferLike, this.#left)
    const start = this.#next + ENTRY_HEAD
    const end = start + (this.#data as DataView).getUint32(this.#next, true)
    this.#next = end + (-end & 7)
    this.#left--
    return [this.#id++, view(this.#memory as ArrayBufferLike, this.#base + start, end - start)]
  }
}
