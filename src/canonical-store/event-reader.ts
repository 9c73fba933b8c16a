// The lazy view that `events()` gives. Events are contiguous, so a range of them is two ids; they are read by pages, each by its ids, and hold
// nothing natively in between.
import { TOO_BIG } from '../binding.ts'
import type { PayloadCodec } from '../codecs/payload-codec.ts'
import { invalidArgument } from '../errors.ts'
import { readLatin1, readUtf8 } from '../internal/bytes.ts'
import { checkBoolean, checkedLimit, checkInteger, checkOptions } from '../internal/validate.ts'
import type { EventId, EventRange, EventReader, EventRecord } from './canonical-store.ts'
import type { Environment } from './environment.ts'
import { allocate, PAGE_BYTES, view } from './pool.ts'

/** Who events are read from. */
export interface EventSource {
  readonly environment: Environment
  /** The store handle or snapshot, as native code knows it. */
  readonly reader: number
  readonly events: PayloadCodec
  /** @throws `ERR_CLOSED` after its end */
  check(): void
  /** The first id that is not to be seen. */
  nextEventId(): EventId
}

const EVENT_OPTIONS: ReadonlySet<string> = new Set(['from', 'after', 'to', 'since', 'reverse', 'limit'])
const PAGE_HEAD = 16
const ENTRY_HEAD = 16
const PAYLOADS_ARE_ASCII = 2

/** A view of events. */
export class EmbeddedEventReader<E> implements EventReader<E> {
  readonly #source: EventSource
  readonly #range: EventRange
  readonly #limit: number

  constructor(source: EventSource, range: EventRange | undefined) {
    checkOptions(range, EVENT_OPTIONS, 'range')
    const { from, after, to, since, reverse, limit } = range ?? {}
    checkInteger(from, 0, 'range.from')
    checkInteger(after, 0, 'range.after')
    if (to !== Infinity) checkInteger(to, 0, 'range.to')
    if (from !== undefined && after !== undefined) throw invalidArgument('range.after', 'events begin with from or after, not both')
    if (since !== undefined && !Number.isFinite(since)) throw invalidArgument('range.since', 'a time is a number of ms since the epoch')
    checkBoolean(reverse, 'range.reverse')
    this.#limit = checkedLimit(limit, 'range.limit')
    this.#source = source
    this.#range = { from: after === undefined ? from : after + 1, to, since, reverse }
  }

  [Symbol.iterator](): IterableIterator<EventRecord<E>> {
    return new EventIterator<E>(this.#source, () => this.#pass())
  }

  pages(): Iterable<EventRecord<E>[]> {
    return { [Symbol.iterator]: () => this.#pages() }
  }

  count(): number {
    this.#source.check()
    const { from, to } = this.#ids()
    return to - from
  }

  *#pages(): Generator<EventRecord<E>[], undefined> {
    this.#source.check()
    const pass = this.#pass()
    try {
      while (pass.load()) {
        const page: EventRecord<E>[] = []
        while (pass.isLoaded) page.push(pass.take() as EventRecord<E>)
        yield page
        this.#source.check()
      }
    } finally {
      pass.close()
    }
    return undefined
  }

  #pass(): EventPass {
    const { from, to } = this.#ids()
    return new EventPass(this.#source, from, to, this.#range.reverse === true)
  }

  /** The ids of an iteration that starts now: from the first to the second, exclusive. */
  #ids(): { from: EventId; to: EventId } {
    const { environment, reader } = this.#source
    const { from: first = 0, to: end = Infinity, since, reverse } = this.#range
    let to = Math.min(end, this.#source.nextEventId())
    let from = Math.max(first, environment.call((cold) => cold.oldestEventId(reader)))
    if (since !== undefined && from < to) from = Math.max(from, environment.call((cold) => cold.firstEventAt(reader, Math.max(0, Math.ceil(since)))))
    to = Math.max(from, to)
    if (reverse === true) from = Math.max(from, to - this.#limit)
    else to = Math.min(to, from + this.#limit)
    return { from, to }
  }
}

/** One iteration. */
class EventIterator<E> implements IterableIterator<EventRecord<E>> {
  readonly #source: EventSource
  readonly #start: () => EventPass
  #pass: EventPass | undefined
  #isDone = false

  constructor(source: EventSource, start: () => EventPass) {
    this.#source = source
    this.#start = start
  }

  next(): IteratorResult<EventRecord<E>, undefined> {
    if (this.#isDone) return { value: undefined, done: true }
    try {
      this.#source.check()
      const pass = (this.#pass ??= this.#start())
      if (pass.isLoaded || pass.load()) return { value: pass.take() as EventRecord<E>, done: false }
    } catch (error) {
      this.#finish()
      throw error
    }
    this.#finish()
    return { value: undefined, done: true }
  }

  return(): IteratorResult<EventRecord<E>, undefined> {
    this.#finish()
    return { value: undefined, done: true }
  }

  [Symbol.iterator](): this {
    return this
  }

  #finish(): void {
    this.#isDone = true
    this.#pass?.close()
    this.#pass = undefined
  }
}

/** One pass over the ids `from` to `to` (exclusive), page by page. */
class EventPass {
  readonly #source: EventSource
  readonly #reverse: boolean
  #from: EventId
  #to: EventId
  #page: Buffer | undefined
  #view: DataView | undefined
  #text: string | undefined
  #pages = 0
  #id = 0
  #left = 0
  #next = 0

  constructor(source: EventSource, from: EventId, to: EventId, reverse: boolean) {
    this.#source = source
    this.#reverse = reverse
    this.#from = from
    this.#to = to
  }

  /** Whether the page at hand has another event. */
  get isLoaded(): boolean {
    return this.#left > 0
  }

  /** Reads the next page; false at the end. */
  load(): boolean {
    this.close()
    if (this.#from >= this.#to) return false
    const { environment, reader, events } = this.#source
    let page = this.#takePage()
    let used = environment.hot.eventsPage(reader, this.#from, this.#to, this.#reverse, page)
    if (used === TOO_BIG) {
      const needed = page.readUInt32LE(0)
      page = allocate(needed + (-needed & 0xfff))
      used = environment.hot.eventsPage(reader, this.#from, this.#to, this.#reverse, page)
    }
    if (used < 0) throw environment.error()
    if (!events.isText) environment.slab.keep(page, used)
    const data = new DataView(page.buffer, page.byteOffset, used)
    this.#left = data.getUint32(0, true)
    if (this.#left === 0) return false
    const isAscii = events.isText && (data.getUint32(4, true) & PAYLOADS_ARE_ASCII) !== 0
    this.#text = isAscii ? readLatin1(page, 0, used) : undefined
    this.#id = data.getFloat64(8, true)
    if (this.#reverse) this.#to = this.#id - this.#left + 1
    else this.#from = this.#id + this.#left
    this.#page = page
    this.#view = data
    this.#next = PAGE_HEAD
    return true
  }

  /** The next event of the page. */
  take(): EventRecord<unknown> {
    const at = this.#next
    const data = this.#view as DataView
    const start = at + ENTRY_HEAD
    const end = start + data.getUint32(at, true)
    const timestamp = data.getFloat64(at + 8, true)
    const id = this.#reverse ? this.#id-- : this.#id++
    this.#next = end + (-end & 7)
    this.#left--
    return { id, timestamp, event: this.#payload(start, end) }
  }

  close(): void {
    const page = this.#page
    this.#page = undefined
    this.#left = 0
    if (page !== undefined && this.#source.events.isText) this.#source.environment.pages.give(page)
  }

  #payload(start: number, end: number): unknown {
    const page = this.#page as Buffer
    const { events } = this.#source
    if (!events.isText) return events.fromBytes(view(page.buffer, page.byteOffset + start, end - start))
    return events.fromText(this.#text === undefined ? readUtf8(page, start, end) : this.#text.substring(start, end))
  }

  #takePage(): Buffer {
    const bytes = PAGE_BYTES[Math.min(this.#pages++, PAGE_BYTES.length - 1)] as number
    const { environment, events } = this.#source
    return events.isText ? environment.pages.take(bytes) : environment.slab.page(bytes)
  }
}
