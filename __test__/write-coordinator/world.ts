// A coordinator in a world by script, with everything that was ever asked of it, and the claims that hold after every step:
//
// 1. Every applied write is in exactly one of current, frozen and snapshot, in the order of the calls; also after a failure and after the end.
// 2. Marks only grow, durable <= written <= applied, and none is ahead of what the flusher has done.
// 3. A wait for a level is answered when the mark has come to it and the view shows it, not before, and with the failure when it never will.
// 4. One call of the flusher at a time, batches in order without gaps, none above `flush.writes`.
// 5. What is pending is below the bound before each write; a write waits for room only while there is none.
// 6. While a pause is held nothing is applied and no flush runs; a pause that failed is gone.
// 7. Every wait is for a call of the flusher, a timer, or a pause: nothing hangs.
// 8. A subscriber that reads has seen the newest view.
// 9. At the end no timer, turn, listener or promise is left.
import { getEventListeners } from 'node:events'
import { isDeepStrictEqual } from 'node:util'
import { LedgerstoneError } from '../../src/errors.ts'
import type { EpochHandle, Pause, View } from '../../src/write-coordinator/coordinator-types.ts'
import { WriteCoordinator } from '../../src/write-coordinator/write-coordinator.ts'
import { ScriptedSchedule } from './scripted-schedule.ts'
import { BAD, type Faults, type Item, type Listed, ScriptedDelta, ScriptedFlusher, strike } from './scripted-storage.ts'

export interface WorldOptions {
  readonly bytes?: number
  readonly writes?: number | undefined
  readonly intervalMs?: number
  readonly maxPendingBytes?: number
  readonly attempts?: number
}

/** A promise and what has become of it. */
export class Watched<V> {
  state: 'pending' | 'resolved' | 'rejected' = 'pending'
  value: V | undefined
  error: unknown
  readonly what: string

  constructor(what: string, promise: Promise<V>) {
    this.what = what
    void this.#watch(promise)
  }

  async #watch(promise: Promise<V>): Promise<void> {
    try {
      this.value = await promise
      this.state = 'resolved'
    } catch (error) {
      this.error = error
      this.state = 'rejected'
    }
  }
}

type Level = 'written' | 'durable'
interface Waiting {
  readonly watched: Watched<unknown>
  readonly level: Level
  readonly epoch: number
  readonly isAborted: () => boolean
}
interface Asked {
  readonly item: Item
  readonly watched: Watched<EpochHandle<string>>
}

export class World {
  readonly schedule = new ScriptedSchedule()
  readonly faults: Faults = {}
  readonly controller = new AbortController()
  readonly flusher: ScriptedFlusher
  readonly coordinator: WriteCoordinator<Listed>
  readonly handles: EpochHandle<string>[] = []
  readonly pauses: Watched<Pause>[] = []
  readonly closes: Watched<void>[] = []
  readonly seen: View<Listed>[] = []
  /** Of the writes that were applied, in this order. */
  readonly #applied: number[] = []
  readonly #asked: Asked[] = []
  readonly #waits: Waiting[] = []
  readonly #options: WorldOptions
  #subscriptions = 0
  #ended = 0
  #ids = 0
  #held = 0
  #marks = { applied: 0, written: 0, durable: 0 }
  #isClosing = false
  #failedAt: View<Listed>['epochs'] | undefined

  constructor(options: WorldOptions) {
    this.#options = options
    const { bytes = 30, writes, intervalMs = 10, maxPendingBytes = 50, attempts } = options
    this.flusher = new ScriptedFlusher(() => this.#enteredFlusher())
    const init = (number: number): ScriptedDelta => {
      const given = strike(this.faults, 'init')
      return given ?? new ScriptedDelta(number, this.faults, (what) => this.#entered(what))
    }
    this.coordinator = new WriteCoordinator<Listed>(
      {
        init,
        context: 1,
        snapshot: [],
        flusher: this.flusher,
        flush: { bytes, writes, intervalMs },
        maxPendingBytes,
        retry: attempts === undefined ? undefined : { attempts, minDelayMs: 10, maxDelayMs: 20 },
      },
      this.schedule,
    )
  }

  item(bytes: number, isBad = false): Item {
    return { id: ++this.#ids, bytes, isBad }
  }

  write(item: Item, options?: { timeoutMs?: number; signal?: AbortSignal }): Watched<EpochHandle<string>> {
    const watched = new Watched(`write ${item.id}`, this.coordinator.write(item, options))
    this.#asked.push({ item, watched })
    return watched
  }

  /** Whatever it throws has to be an error of the table. */
  tryWrite(item: Item): unknown {
    try {
      this.handles.push(this.coordinator.tryWrite(item))
      return undefined
    } catch (error) {
      must(error === BAD || error instanceof LedgerstoneError, `tryWrite threw ${String(error)}`)
      return error
    }
  }

  wait(handle: EpochHandle<string>, level: Level, signal?: AbortSignal): Watched<string> {
    const watched = new Watched(`wait ${handle.epoch} ${level}`, this.#afterTheMark(handle.wait(level, { signal }), level, handle.epoch))
    this.#waits.push({ watched, level, epoch: handle.epoch, isAborted: () => signal?.aborted === true })
    return watched
  }

  flush(level: Level): Watched<void> {
    const { applied } = this.coordinator.view().epochs
    const watched = new Watched(`flush ${level}`, this.#afterTheMark(this.coordinator.flush(level), level, applied))
    this.#waits.push({ watched, level, epoch: applied, isAborted: () => false })
    return watched
  }

  pause(timeoutMs?: number): void {
    this.pauses.push(new Watched('pause', this.coordinator.pause({ timeoutMs })))
  }

  /** Releases the oldest pause that is held. */
  release(): void {
    const at = this.pauses.findIndex(({ state }) => state === 'resolved')
    if (at >= 0) this.pauses.splice(at, 1)[0]?.value?.release()
  }

  close(signal?: AbortSignal): void {
    this.#isClosing = true
    this.closes.push(new Watched('close', this.coordinator.close({ signal })))
  }

  /** Reads views as they come. */
  subscribe(): void {
    this.#subscriptions++
    const read = async (): Promise<void> => {
      let last = { applied: 0, written: 0, durable: 0 }
      for await (const view of this.coordinator.subscribe({ signal: this.controller.signal })) {
        must(view.epochs.applied >= last.applied && view.epochs.written >= last.written && view.epochs.durable >= last.durable, 'a subscriber went back')
        must(view.snapshot.length === view.epochs.written, 'a subscriber got a mark without its snapshot')
        last = view.epochs
        this.seen.push(view)
      }
    }
    const ended = (): void => void this.#ended++
    read().then(ended, (error: unknown) => {
      ended()
      if (error !== this.coordinator.failure && error !== this.controller.signal.reason) throw error
    })
  }

  /** Looks in the very moment of the answer: at the end of the turn mark and view are there, in whatever order they came. */
  async #afterTheMark<V>(promise: Promise<V>, level: Level, epoch: number): Promise<V> {
    const value = await promise
    const { epochs, snapshot } = this.coordinator.view()
    must(epochs[level] >= epoch && snapshot.length >= epoch, `${level} was answered before the view showed it`)
    return value
  }

  async settle(): Promise<void> {
    await this.schedule.settle()
    this.check()
  }

  /** The claims. */
  check(): void {
    this.#takeHandles()
    const view = this.coordinator.view()
    const { applied, written, durable } = view.epochs
    this.#checkLayers(view)
    must(durable <= written && written <= applied, `marks: ${JSON.stringify(view.epochs)}`)
    must(applied >= this.#marks.applied && written >= this.#marks.written && durable >= this.#marks.durable, 'a mark went back')
    this.#marks = { applied, written, durable }
    must(written <= this.flusher.stored.length, 'written is ahead of the flusher')
    must(durable <= this.flusher.synced, 'durable is ahead of the flusher')
    this.#checkBatches()
    const { failure } = this.coordinator
    for (const { watched, level, epoch, isAborted } of this.#waits) {
      const isReached = epoch <= view.epochs[level]
      const expected = isReached ? 'resolved' : failure === undefined ? 'pending' : 'rejected'
      if (isAborted() && watched.state === 'rejected') continue
      if (watched.state === 'rejected' && watched.error !== failure)
        must((watched.error as LedgerstoneError).code === 'ERR_CLOSED' && this.#isClosing, `${watched.what}: ${String(watched.error)}`)
      else must(watched.state === expected || (watched.state === 'rejected' && failure !== undefined), `${watched.what} is ${watched.state}, expected ${expected}`)
    }
    this.#checkHeld()
    this.#checkPauses()
    this.#checkProgress()
    if (failure !== undefined) {
      must(failure.code === 'ERR_POISONED', `failure ${failure.code}`)
      this.#checkFailed(view)
    }
    if (this.#subscriptions > this.#ended) must(isDeepStrictEqual(this.seen.at(-1)?.epochs, view.epochs), 'a subscriber has missed the newest view')
  }

  /** Ends it in good order, whatever has happened, and looks at what is left. */
  async finish(): Promise<void> {
    while (this.pauses.some(({ state }) => state === 'resolved')) this.release()
    if (this.closes.length === 0) this.close()
    for (let n = 0; this.closes.some(({ state }) => state === 'pending'); n++) {
      must(n < 1000, 'close hangs')
      if (this.flusher.pending.length > 0) this.flusher.answer()
      else this.schedule.advance(20)
      await this.settle()
    }
    const { failure } = this.coordinator
    for (const { state, error } of this.closes)
      must(failure === undefined ? state === 'resolved' : state === 'rejected' && (error === failure || this.controller.signal.aborted), `close is ${state}`)
    const { applied, durable } = this.coordinator.view().epochs
    if (failure === undefined) must(applied === durable && this.flusher.synced === applied, 'closed, and not all is durable')
    for (const { watched } of [...this.#asked, ...this.#waits]) must(watched.state !== 'pending', `${watched.what} is pending after the end`)
    for (const { what, state } of this.pauses) must(state !== 'pending', `${what} is pending after the end`)
    must(this.#subscriptions === this.#ended, 'a subscriber goes on after the end')
    must(this.schedule.timers === 0, `${this.schedule.timers} timers are left`)
    must(!this.schedule.awaitsTurn, 'a turn is waited for')
    must(getEventListeners(this.controller.signal, 'abort').length === 0, 'a listener is left')
    const error = this.tryWrite(this.item(1)) as LedgerstoneError
    must(error.code === (failure === undefined ? 'ERR_CLOSED' : 'ERR_POISONED'), `a write after the end: ${error.code}`)
  }

  #takeHandles(): void {
    for (const { watched } of this.#asked) {
      if (watched.value !== undefined && !this.handles.includes(watched.value)) this.handles.push(watched.value)
      if (watched.state === 'rejected')
        must(
          watched.error === BAD || watched.error === this.controller.signal.reason || watched.error instanceof LedgerstoneError,
          `${watched.what}: ${String(watched.error)}`,
        )
    }
  }

  #checkLayers({ current, frozen, snapshot, epochs }: View<Listed>): void {
    const parts = [...snapshot, ...frozen.toReversed().flatMap(({ value }) => value), ...current]
    must(parts.length === epochs.applied, `${parts.length} writes in the view, ${epochs.applied} are applied`)
    must(snapshot.length === epochs.written, 'the snapshot is not what is written')
    let end = epochs.written + 1
    for (const { value, epochs: range } of frozen.toReversed()) {
      must(range.start === end && range.end - range.start === value.length, 'a gap between frozen deltas')
      end = range.end
    }
    for (const [n, id] of this.#applied.entries()) must(parts[n] === id, `write ${id} is not where it was`)
    this.#applied.push(...parts.slice(this.#applied.length))
    must(new Set(parts).size === parts.length, 'a write is in two places')
    for (const { epoch, result } of this.handles) must(result === `result ${parts[epoch - 1]}`, `epoch ${epoch} is another write`)
    const order = this.#asked.flatMap(({ watched }) => watched.value?.epoch ?? [])
    must(
      order.every((epoch, n) => n === 0 || epoch > (order[n - 1] as number)),
      'writes were not applied in the order of the calls',
    )
  }

  #checkBatches(): void {
    const { batches, pending, stored } = this.flusher
    must(pending.length <= 1, 'two flushes at once')
    must(
      stored.every((id, n) => id === this.#applied[n]),
      'stored out of order',
    )
    let end = 1
    for (const batch of batches) {
      must(batch.start === end && batch.end > batch.start, 'batches with a gap')
      must(batch.end - batch.start <= (this.#options.writes ?? Infinity), 'a batch is above flush.writes')
      end = batch.end
    }
  }

  #checkHeld(): void {
    const { pendingBytes, waiting } = this.coordinator.stats()
    const { maxPendingBytes = 50 } = this.#options
    must(pendingBytes < maxPendingBytes + 20, `${pendingBytes} bytes are pending`)
    this.#held = this.#asked.filter(({ watched }) => watched.state === 'pending').length
    must(waiting === this.#held, `${waiting} wait, ${this.#held} were asked for`)
    if (waiting > 0) must(pendingBytes >= maxPendingBytes || this.coordinator.isPaused, 'a write waits although there is room')
  }

  #checkPauses(): void {
    const isHeld = this.pauses.some(({ state }) => state !== 'rejected') && this.coordinator.failure === undefined && !this.#isClosing
    must(this.coordinator.isPaused === isHeld, `isPaused is ${this.coordinator.isPaused}`)
    if (this.#isPaused) must(this.flusher.pending.length === 0, 'a flush runs during a pause')
    for (const { state, error } of this.pauses) {
      if (state === 'rejected') must(['ERR_TIMEOUT', 'ERR_CLOSED', 'ERR_POISONED'].includes((error as LedgerstoneError).code), String(error))
      if (state === 'pending') must(this.#isFlushing, 'a pause waits for nothing')
    }
  }

  #checkProgress(): void {
    if (this.coordinator.failure !== undefined || this.coordinator.isPaused) return
    const isAwaited = this.#held > 0 || this.#waits.some(({ watched }) => watched.state === 'pending') || this.closes.some(({ state }) => state === 'pending')
    if (isAwaited) must(this.#isFlushing, 'somebody waits, and no flush runs')
    const { applied, written } = this.coordinator.view().epochs
    if (written < applied) must(this.#isFlushing || this.schedule.timers > 0, 'what is applied will never be flushed')
  }

  /** After the failure nothing changes any more, and nothing is left to happen. */
  #checkFailed(view: View<Listed>): void {
    must(this.schedule.timers === 0, 'a timer is left after the failure')
    must(
      this.flusher.pending.every(({ signal }) => signal.aborted),
      'a flush goes on after the failure',
    )
    this.#failedAt ??= view.epochs
    must(isDeepStrictEqual(view.epochs, this.#failedAt), 'a mark moved after the failure')
  }

  get #isFlushing(): boolean {
    return this.flusher.pending.length > 0 || (this.flusher.isRetried && this.schedule.timers > 0)
  }

  get #isPaused(): boolean {
    return this.pauses.some(({ state }) => state === 'resolved') && this.coordinator.isPaused
  }

  #entered(what: string): void {
    if (what === 'apply') must(!this.#isPaused, 'a write was applied during a pause')
  }

  #enteredFlusher(): void {
    must(!this.#isPaused, 'a flush began during a pause')
    must(this.coordinator.failure === undefined, 'a flush began after the failure')
  }
}

export function must(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise)
}
