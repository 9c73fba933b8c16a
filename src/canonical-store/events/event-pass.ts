// Events of consecutive ids from native code: a packed page at a time, decoded one by one.
import { ofEvent, type PayloadCodec } from '../../codecs/payload-codec.ts'
import type { EventId } from '../../event-log/log-types.ts'
import { readLatin1, readUtf8 } from '../../internal/bytes.ts'
import type { Environment } from '../../native/environment.ts'
import { Pages } from '../../native/pages.ts'
import { checkKept, view } from '../../native/pool.ts'
import type { EventRecord } from '../api/events.ts'

const PAGE_HEAD = 16
const ENTRY_HEAD = 16
const PAYLOADS_ARE_ASCII = 2

/** What events are read from: a store handle or a snapshot. */
export interface EventSource {
  readonly environment: Environment
  /** Native code's number for the store handle or snapshot. */
  readonly reader: number
  readonly events: PayloadCodec
  /** @throws `ERR_CLOSED` after its end */
  check(): void
  /** The first id that is not visible. */
  nextEventId(): EventId
}

/** One pass over the ids `from` to `to` (exclusive), page by page. */
export class EventPass {
  readonly #source: EventSource
  readonly #reverse: boolean
  #from: EventId
  #to: EventId
  readonly #pages: Pages
  #page: Buffer | undefined
  /** The page's memory, and where the page begins in it: asking a Buffer for its memory costs a call. */
  #memory: ArrayBufferLike | undefined
  #base = 0
  #data: DataView | undefined
  #text: string | undefined
  #id = 0
  #left = 0
  #next = 0
  /** The error that ended {@link takeAll} before the end of the page. */
  #failure: { readonly reason: unknown } | undefined

  constructor(source: EventSource, from: EventId, to: EventId, reverse: boolean) {
    this.#source = source
    this.#pages = new Pages(source.environment, source.events.isText)
    this.#reverse = reverse
    this.#from = from
    this.#to = to
  }

  /** Whether the page has another event, or an error in its place. */
  get isLoaded(): boolean {
    return this.#left > 0 || this.#failure !== undefined
  }

  /** How many events are left in the page. */
  get size(): number {
    return this.#left
  }

  /** The id of the event that {@link take} returns next, while the page has one. */
  get nextId(): EventId {
    return this.#id
  }

  /** Reads the next page; false at the end. */
  load(): boolean {
    this.close()
    if (this.#from >= this.#to) return false
    const { environment, reader, events } = this.#source
    const page = this.#pages.load((page) => environment.hot.eventsPage(reader, this.#from, this.#to, this.#reverse, page))
    const { used } = this.#pages
    const { buffer: memory, byteOffset: base } = page
    const data = new DataView(memory, base, used)
    this.#left = data.getUint32(0, true)
    if (this.#left === 0) return false
    const isAscii = events.isText && (data.getUint32(4, true) & PAYLOADS_ARE_ASCII) !== 0
    this.#text = isAscii ? readLatin1(page, 0, used) : undefined
    this.#id = data.getFloat64(8, true)
    if (this.#reverse) this.#to = this.#id - this.#left + 1
    else this.#from = this.#id + this.#left
    this.#page = page
    this.#memory = memory
    this.#base = base
    this.#data = data
    this.#next = PAGE_HEAD
    return true
  }

  /** The next event of the page. */
  take(): EventRecord<unknown> {
    if (!this.#source.events.isText) checkKept(this.#memory as ArrayBufferLike, this.#left)
    const at = this.#next
    const data = this.#data as DataView
    const start = at + ENTRY_HEAD
    const end = start + data.getUint32(at, true)
    const timestamp = data.getFloat64(at + 8, true)
    const id = this.#reverse ? this.#id-- : this.#id++
    this.#next = end + (-end & 7)
    this.#left--
    try {
      return { id, timestamp, event: this.#payload(start, end) }
    } catch (error) {
      throw ofEvent(error, id)
    }
  }

  /** The rest of the page, up to the first event that cannot be decoded. If that is the first of them, its error is thrown. */
  takeAll(): EventRecord<unknown>[] {
    const events: EventRecord<unknown>[] = []
    if (this.#failure !== undefined) throw this.#failure.reason
    try {
      while (this.#left > 0) events.push(this.take())
    } catch (reason) {
      if (events.length === 0) throw reason
      this.#failure = { reason }
    }
    return events
  }

  close(): void {
    this.#failure = undefined
    this.#page = undefined
    this.#memory = undefined
    this.#left = 0
    this.#pages.release()
  }

  #payload(start: number, end: number): unknown {
    const { events } = this.#source
    if (!events.isText) return events.fromBytes(view(this.#memory as ArrayBufferLike, this.#base + start, end - start))
    return events.fromText(this.#text === undefined ? readUtf8(this.#page as Buffer, start, end) : this.#text.substring(start, end))
  }
}
