// The lazy view that `events()` returns. Events are contiguous, so a range of them is two ids. They are read by pages, each by its ids; native code holds
// nothing between pages.
import { cursorBeyond, eventsTrimmed, invalidArgument } from '../../errors.ts'
import type { EventId } from '../../event-log/log-types.ts'
import { checkBoolean, checkedLimit, checkInteger, checkOptions } from '../../internal/validate.ts'
import type { EventRange, EventReader, EventRecord } from '../api/events.ts'
import { EventPass, type EventSource } from './event-pass.ts'

const EVENT_OPTIONS: ReadonlySet<string> = new Set(['from', 'after', 'to', 'since', 'reverse', 'limit'])

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
    this.#range = { from, after, to, since, reverse }
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
      while (pass.isLoaded || pass.load()) {
        yield pass.takeAll() as EventRecord<E>[]
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
    const { from: start = 0, after = 0, to: end = Infinity, since, reverse } = this.#range
    const first = after === 0 ? start : after + 1
    const next = this.#source.nextEventId()
    if (after >= next) throw cursorBeyond(after, next - 1)
    let to = Math.min(end, next)
    const oldest = environment.call((cold) => cold.oldestEventId(reader))
    if (first > 0 && first < oldest) throw eventsTrimmed(first, oldest)
    let from = Math.max(first, oldest)
    if (since !== undefined && from < to)
      from = Math.max(
        from,
        environment.call((cold) => cold.firstEventAt(reader, Math.max(0, Math.ceil(since)))),
      )
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
