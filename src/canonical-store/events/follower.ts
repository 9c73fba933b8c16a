// `follow()`: existing events, then new ones, in one way only: both are read from the store by their ids, so nothing is lost or repeated between the two.
// Between two reads a follower holds at most one page and no native resource.
import { RANK, rankOf } from '../../compare-durability.ts'
import { cursorBeyond, eventsTrimmed, invalidArgument } from '../../errors.ts'
import type { EventId } from '../../event-log/log-types.ts'
import { setImmediate, throwIfAborted } from '../../internal/platform.ts'
import { Steps } from '../../internal/steps.ts'
import { checkInteger, checkOptions, checkSignal } from '../../internal/validate.ts'
import type { EventRecord, Follower, FollowOptions } from '../api/events.ts'
import type { StoreHandle } from '../store-handle.ts'
import type { EventLevel } from '../watching/event-waiters.ts'
import { EventPass, type EventSource } from './event-pass.ts'

const OPTIONS: ReadonlySet<string> = new Set(['from', 'after', 'durability', 'signal', 'batch'])
/** Events per read, unless a page is full earlier. */
const BATCH = 1024

/** A view of events without end. */
export class EmbeddedFollower<E> implements Follower<E> {
  readonly #handle: StoreHandle
  readonly #source: EventSource
  readonly #options: Plan

  constructor(handle: StoreHandle, source: EventSource, options: FollowOptions | undefined) {
    checkOptions(options, OPTIONS, 'options')
    const { from, after, durability, signal, batch } = options ?? {}
    checkInteger(from, 0, 'from')
    checkInteger(after, 0, 'after')
    if (from !== undefined && after !== undefined) throw invalidArgument('after', 'following begins with from or after, not both')
    const level = durability === undefined ? RANK.durable : rankOf(durability, 'durability')
    checkSignal(signal, 'signal')
    checkInteger(batch, 1, 'batch')
    this.#handle = handle
    this.#source = source
    // `after: 0`: no event was consumed; it begins with the oldest, whatever its id is.
    this.#options = { first: from ?? (after === undefined || after === 0 ? 0 : after + 1), after: after ?? 0, level, signal, batch: batch ?? BATCH }
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<EventRecord<E>> {
    return new Following<EventRecord<E>>(this.#handle, this.#source, this.#options, (pass) => pass.take() as EventRecord<E>)
  }

  pages(): AsyncIterable<EventRecord<E>[]> {
    return { [Symbol.asyncIterator]: () => new Following<EventRecord<E>[]>(this.#handle, this.#source, this.#options, (pass) => pass.takeAll() as EventRecord<E>[]) }
  }
}

interface Plan {
  /** The first id, 0 for the oldest. */
  readonly first: EventId
  /** The cursor that the user passed; 0 for none. */
  readonly after: EventId
  readonly level: EventLevel
  readonly signal: AbortSignal | undefined
  readonly batch: number
}

/** One iteration. Steps that are requested at once are taken one after another. */
class Following<T> implements AsyncIterableIterator<T> {
  readonly #handle: StoreHandle
  readonly #source: EventSource
  readonly #plan: Plan
  readonly #take: (pass: EventPass) => T
  /** The id that the next read begins with; 0: the oldest. */
  #next: EventId
  #pass: EventPass | undefined
  #isDone = false
  /** Ends the running wait. */
  #endWaiting: (() => void) | undefined
  readonly #steps = new Steps()

  constructor(handle: StoreHandle, source: EventSource, plan: Plan, take: (pass: EventPass) => T) {
    this.#handle = handle
    this.#source = source
    this.#plan = plan
    this.#take = take
    this.#next = plan.first
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<T, undefined>> {
    return this.#steps.take(() => this.#step())
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#finish()
    return { value: undefined, done: true }
  }

  async #step(): Promise<IteratorResult<T, undefined>> {
    try {
      const pause = this.#source.environment.turns.pause()
      if (pause !== undefined) await pause
      while (!this.#isDone && !this.#handle.isClosed) {
        throwIfAborted(this.#plan.signal)
        if (this.#pass?.isLoaded === true || this.#load()) return { value: this.#take(this.#pass as EventPass), done: false }
        await this.#wait()
      }
    } catch (error) {
      this.#finish()
      throw error
    }
    this.#finish()
    return { value: undefined, done: true }
  }

  /** Reads up to the last event that has reached the level; whether there was one. */
  #load(): boolean {
    const pass = this.#pass?.load() === true ? this.#pass : this.#readOn()
    this.#pass = pass
    if (pass === undefined) return false
    const { nextId, size } = pass
    if (nextId !== this.#next) throw eventsTrimmed(this.#next, nextId)
    this.#next += size
    return true
  }

  #readOn(): EventPass | undefined {
    const { shared } = this.#handle
    const { level, batch } = this.#plan
    const next = this.#begin()
    if (next >= shared.eventsEnd(level)) void shared.applied // looks at the marks
    const pass = new EventPass(this.#source, next, Math.min(shared.eventsEnd(level), next + batch), false)
    return pass.load() ? pass : undefined
  }

  /** The id to read on from. */
  #begin(): EventId {
    if (this.#next !== this.#plan.first) return this.#next
    const { after } = this.#plan
    if (after > 0 && after >= this.#source.nextEventId()) throw cursorBeyond(after, this.#source.nextEventId() - 1)
    const oldest = this.#source.environment.call((cold) => cold.oldestEventId(this.#source.reader))
    if (this.#next === 0) this.#next = oldest
    else if (this.#next < oldest) throw eventsTrimmed(this.#next, oldest)
    return this.#next
  }

  /** Waits until the next event has reached the level, the store closes, the signal aborts or the iteration is ended. */
  async #wait(): Promise<void> {
    const { shared } = this.#handle
    const { level, signal } = this.#plan
    const next = this.#begin()
    // The event has reached the level, but the thread that commits it has yet to make it visible.
    if (shared.eventsEnd(level) > next) return void (await new Promise((resolve) => setImmediate(resolve)))
    await new Promise<void>((resolve, reject) => {
      const settle = (finish: () => void): void => {
        this.#endWaiting = undefined
        forgetEnd()
        forgetEvent()
        finish()
      }
      const end = (): void => settle(resolve)
      const forgetEvent = shared.awaitEvent(level, next, (failure) => settle(() => (failure === undefined ? resolve() : reject(failure))))
      const forgetEnd = this.#handle.listen(end, signal, (reason) => settle(() => reject(reason)))
      this.#endWaiting = end
    })
  }

  #finish(): void {
    this.#isDone = true
    this.#pass?.close()
    this.#pass = undefined
    this.#endWaiting?.()
  }
}
