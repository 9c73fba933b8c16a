// The followers that wait for an event to reach a level. All of a store in one environment share one request to native code and one wake. Knows nothing of
// native code: the store passes it the marks.
import { isMainThread } from 'node:worker_threads'
import type { EventId } from '../../event-log/log-types.ts'
import { clearInterval, setInterval } from '../../internal/platform.ts'

/** Applied, written, durable. */
export type EventLevel = 0 | 1 | 2
export const EVENT_LEVELS: readonly EventLevel[] = [0, 1, 2]

const NOBODY = -1
const A_LONG_TIME_MS = 2 ** 30

interface EventWaiter {
  readonly id: EventId
  readonly settle: (failure?: Error) => void
}

/** The waiting followers of one store in one environment. */
export class EventWaiters {
  readonly #levels: readonly [Set<EventWaiter>, Set<EventWaiter>, Set<EventWaiter>] = [new Set(), new Set(), new Set()]
  /** The ids that native code was asked for and has not answered. */
  readonly #told: [EventId, EventId, EventId] = [NOBODY, NOBODY, NOBODY]
  #keepAlive: NodeJS.Timeout | undefined

  get isEmpty(): boolean {
    const [applied, written, durable] = this.#levels
    return applied.size + written.size + durable.size === 0
  }

  /** Whether a follower waits for an event below `end`. */
  awaitsBelow(end: EventId): boolean {
    for (const waiters of this.#levels) for (const { id } of waiters) if (id < end) return true
    return false
  }

  /** Calls `settle` once, unless the returned function is called earlier. */
  add(level: EventLevel, id: EventId, settle: (failure?: Error) => void): () => void {
    const waiter = { id, settle }
    const waiters = this.#levels[level]
    waiters.add(waiter)
    this.#stayAlive()
    return () => {
      if (waiters.delete(waiter)) this.#stayAlive()
    }
  }

  /** The lowest id awaited at each level, -1 for none, if native code does not know it yet. */
  takeWanted(): readonly [EventId, EventId, EventId] | undefined {
    let isNews = false
    for (const level of EVENT_LEVELS) {
      let lowest = Infinity
      for (const { id } of this.#levels[level]) if (id < lowest) lowest = id
      const wanted = lowest === Infinity ? NOBODY : lowest
      isNews ||= wanted !== this.#told[level]
      this.#told[level] = wanted
    }
    return isNews ? this.#told : undefined
  }

  /** The handle by which native code was asked is gone. */
  wantAgain(): void {
    this.#told.fill(NOBODY)
  }

  /** The events below `end` have reached a level. */
  settle(level: EventLevel, end: EventId): void {
    if (end > this.#told[level]) this.#told[level] = NOBODY
    const waiters = this.#levels[level]
    for (const waiter of waiters) {
      if (waiter.id >= end) continue
      waiters.delete(waiter)
      waiter.settle()
    }
    this.#stayAlive()
  }

  /** No more events will come. */
  fail(reason: () => Error): void {
    for (const waiters of this.#levels) {
      for (const waiter of waiters) waiter.settle(reason())
      waiters.clear()
    }
    this.#stayAlive()
  }

  /** Keeps a worker alive, as another thread may write what it waits for. The main thread is not kept alive: if it does not write, no code may ever. */
  #stayAlive(): void {
    const waits = !isMainThread && this.#levels.some((waiters) => waiters.size > 0)
    if (waits) {
      this.#keepAlive ??= setInterval(() => {}, A_LONG_TIME_MS)
    } else if (this.#keepAlive !== undefined) {
      clearInterval(this.#keepAlive)
      this.#keepAlive = undefined
    }
  }
}
