// A store as one environment sees it, however many handles it has: its marks, its open transaction, the callers that wait. One microtask per turn asks native
// code for everything that the turn waits for, and one look at the marks per wake settles it.
import { errorOf, type LedgerstoneError } from '../errors.ts'
import type { EventId } from '../event-log/log-types.ts'
import { AbortWatch } from '../internal/abort.ts'
import { nobodysContext } from '../internal/context.ts'
import { performance, queueMicrotask, setTimeout } from '../internal/platform.ts'
import type { Environment, OpenStore, ThreadStore } from '../native/environment.ts'
import { APPLIED, CROWDED_AND_FULL, EVENTS, FLAGS, HAS_FAILED, HAS_NO_ROOM, IS_FULL, IS_PACED, IS_PAUSED, WAITS_FOR_READERS } from '../native/flags.ts'
import type { CommitInfo } from './api/commit.ts'
import type { RunningTransaction } from './running-transaction.ts'
import { Admission, type PAUSED } from './watching/admission.ts'
import { ComingEvents } from './watching/coming-events.ts'
import { failures, stalls } from './watching/diagnostics.ts'
import { EVENT_LEVELS, EventWaiters, type EventLevel } from './watching/event-waiters.ts'
import { Observer } from './watching/observer.ts'
import { Stall } from './watching/stall.ts'
import { tellOfUnsettledEnd } from './watching/unsettled-end.ts'
import { DURABLE, FLUSHED, LEVELS, WRITTEN, Waiters, type Level } from './watching/waiters.ts'

/** In ms: how often paced writers are let in. The slice of Rust's coordinator. */
const PACE_MS = 4

/**
 * How many waiters a flush on this thread may serve (docs/decisions/0005). It saves them two changes of threads, which cost more than the commits themselves;
 * with more waiters each would save little, while this thread stands still.
 */
const FEW = 32

/** Costs half as much as `queueMicrotask`. */
const NOW = Promise.resolve()

/** One store in one environment. */
export class SharedStore implements OpenStore {
  readonly environment: Environment
  readonly key: number
  /** The store's folder. */
  readonly path: string
  readonly aborts: AbortWatch = new AbortWatch()
  readonly observer: Observer
  /** Too much waits to be flushed, or ingestion is paused, as far as this environment knows. */
  crowded = false
  readonly #marks = new Float64Array(8)
  readonly #handles = new Set<number>()
  /** The handles that are not closing. */
  readonly #usable = new Set<number>()
  readonly #waiters: Waiters
  readonly #admission = new Admission()
  readonly #eventWaiters = new EventWaiters()
  readonly #coming = new ComingEvents(
    () => !this.#eventWaiters.isEmpty && this.#failure === undefined && this.#handles.size > 0 && this.#eventWaiters.awaitsBelow(this.eventsEnd(APPLIED)),
    () => void this.reached(DURABLE, this.applied),
  )
  readonly #stall = new Stall(this)
  /** What the copies of this package in the thread share; while no handle is open here, nothing is shared. */
  #thread: ThreadStore<SharedStore> = { open: undefined, members: new Set([this]) }
  #failure: LedgerstoneError | undefined
  #turnIsScheduled = false
  #pace: NodeJS.Timeout | undefined
  readonly #atItsEnd = (): void => this.#endTurn()

  constructor(environment: Environment, key: number, path: string) {
    this.environment = environment
    this.key = key
    this.path = path
    this.observer = new Observer(environment, path)
    this.#waiters = new Waiters(environment)
  }

  /** The transaction that runs on this thread, also one that another copy of this package has begun. */
  get open(): RunningTransaction | undefined {
    return this.#thread.open as RunningTransaction | undefined
  }

  set open(transaction: RunningTransaction | undefined) {
    this.#thread.open = transaction
  }

  /** The error that stopped writing, if any. */
  get failure(): LedgerstoneError | undefined {
    if (this.#failure === undefined) return undefined
    const { cause } = this.#failure
    return cause === undefined ? this.#failure : (cause as LedgerstoneError)
  }

  /** The newest applied commit, of any thread. */
  get applied(): number {
    this.#poll()
    if (!this.crowded && !this.#admission.isEmpty) this.#scheduleTurn()
    return this.#marks[APPLIED] as number
  }

  /** Whether new writes have to queue: there is no room, or others are before them. */
  get mustQueue(): boolean {
    return this.crowded || !this.#admission.isEmpty
  }

  /** Whether a caller waits for room, or for a flush that finds none. A pause does not count: the caller that made it ends it. */
  get isStalled(): boolean {
    const flags = this.#marks[FLAGS] as number
    if (this.#waiters.has(FLUSHED) && (flags & (IS_FULL | WAITS_FOR_READERS)) !== 0) return true
    return this.crowded && (flags & IS_PAUSED) === 0 && !this.#admission.isEmpty
  }

  get isForReaders(): boolean {
    return ((this.#marks[FLAGS] as number) & WAITS_FOR_READERS) !== 0
  }

  get progress(): number {
    return this.#admission.admitted + (this.#marks[FLUSHED] as number)
  }

  /** The thread ends: waits for events of this store will never settle. */
  tellOfEnd(): void {
    if (!this.#eventWaiters.isEmpty) tellOfUnsettledEnd(this.path)
  }

  addHandle(id: number): void {
    if (this.#handles.size === 0) this.#thread = this.environment.addStore(this)
    this.#handles.add(id)
    this.#usable.add(id)
    this.observe()
  }

  /** Starts or stops observing, depending on whether the diagnostics channels have listeners. */
  observe(): void {
    if (!this.observer.isOutdated) return
    const [store] = this.#handles
    if (store !== undefined) this.observer.update(store)
  }

  /** A handle is about to close. */
  closingHandle(id: number): void {
    this.#usable.delete(id)
    for (const other of this.#handles) if (other !== id) this.observer.handOn(id, other)
  }

  /** A handle has closed. With the last one in this environment, the remaining waits get the outcome of the closing. */
  removeHandle(id: number, failure: Error | undefined): void {
    this.#handles.delete(id)
    if (this.#handles.size > 0) {
      // Native code may have known these waits through the handle that is gone.
      this.#waiters.wantAgain()
      this.#eventWaiters.wantAgain()
      this.#scheduleTurn()
      return
    }
    this.environment.removeStore(this)
    if (failure === undefined) {
      this.#marks.fill(Infinity, 0, FLAGS) // closing has made everything durable and flushed it, or left that to the next open
      this.#settle()
    } else {
      this.#stop(failure as LedgerstoneError)
      this.#waiters.fail(failure)
      this.#coming.look()
    }
  }

  /** @throws `ERR_POISONED` when writing has stopped */
  checkWritable(): void {
    if (this.#failure !== undefined) throw this.#poisoned()
  }

  /** The error of a commit or of taking the gate; stored when it is the end of writing. */
  writeError(): LedgerstoneError {
    const error = this.environment.error()
    if (error.code === 'ERR_POISONED') this.#stop(error)
    if (error.code === 'ERR_NO_SPACE') this.observer.refused()
    return error
  }

  /**
   * A transaction begins on this thread. V8 ends functions without their `finally` (a time-out of `vm`, a stack that overflows): if it is still open at the end
   * of the turn, no code is left that could end it.
   */
  openTransaction(transaction: RunningTransaction): void {
    this.#scheduleTurn()
    this.open = transaction
  }

  /** The transaction on this thread is over; writes that waited for room may run. */
  closeTransaction(transaction: RunningTransaction): void {
    if (this.open !== transaction) return
    this.open = undefined
    for (const member of this.#thread.members) member.letIn()
  }

  /** No transaction keeps waiting writes out any longer. */
  letIn(): void {
    if (!this.#admission.isEmpty) this.#scheduleTurn()
  }

  /** Runs `attempt` when there is room and it is first in the queue. */
  hold<T>(owner: object, attempt: () => T | typeof PAUSED, signal: AbortSignal | undefined): Promise<T> {
    const held = this.#admission.hold(owner, attempt, signal, this.aborts)
    this.#scheduleTurn()
    if (stalls.hasSubscribers) {
      const sinceMs = performance.now()
      const tell = (): void => this.stalled(sinceMs)
      held.then(tell, tell)
    }
    return held
  }

  /** A write has waited for room until now. Not published if it waits no longer because the store has closed. */
  stalled(sinceMs: number): void {
    const [store] = this.#usable
    if (!stalls.hasSubscribers || store === undefined) return
    const waitedMs = performance.now() - sinceMs
    stalls.publish({ path: this.path, waitedMs, pendingBytes: this.environment.cold.storeStats(store).delta.bytes })
  }

  /** Rejects the writes of one handle that wait for room. */
  refuseOf(owner: object, reason: () => unknown): void {
    this.#admission.refuse(reason, owner)
  }

  /** Rejects everything that waits for room, or for a flush that finds none. */
  refuse(): void {
    const flags = this.#marks[FLAGS] as number
    if (this.crowded && (flags & IS_PAUSED) === 0) this.#admission.refuse(() => this.#noRoom())
    if ((flags & (IS_FULL | WAITS_FOR_READERS)) !== 0) this.#waiters.failLevel(FLUSHED, this.#noRoom())
  }

  /** A new error for each caller: what there is no room for, and why. */
  #noRoom(): Error {
    const [store] = this.#handles
    try {
      this.environment.call((cold) => cold.noRoom(store ?? -1))
    } catch (error) {
      return error as Error
    }
    return errorOf('ERR_BACKPRESSURE', 'there was no room in time')
  }

  /**
   * A promise if the level with this rank has not reached commit `seq`, or the event loop has to get its turn; `undefined` if the level has reached it, as far
   * as known here. The result of the promise goes to {@link confirm}.
   */
  reached(rank: 0 | Level, seq: number): Promise<Error | undefined> | undefined {
    const { turns } = this.environment
    if (rank === 0 || seq <= (this.#marks[rank] as number)) return turns.pause()
    if (this.#failure !== undefined) return turns.give(this.#poisoned())
    const reached = this.#waiters.add(rank, seq)
    this.#scheduleTurn()
    return reached
  }

  /** Resolves with a commit when it has reached the level with this rank; rejects with the error that prevents it. */
  committed<C extends CommitInfo>(rank: 0 | Level, commit: C): Promise<C> {
    if (rank === 0 || commit.seq <= (this.#marks[rank] as number)) return this.environment.turns.give(commit)
    if (this.#failure !== undefined) return this.environment.turns.refuse(this.#poisoned())
    const committed = this.#waiters.addCommit(rank, commit)
    this.#scheduleTurn()
    return committed
  }

  /** The first event that has not reached a level, as far as known here. */
  eventsEnd(level: EventLevel): EventId {
    return this.#marks[EVENTS + level] as EventId
  }

  /** Calls `settle` once, when event `id` has reached the level or never will; not after the returned function is called. */
  awaitEvent(level: EventLevel, id: EventId, settle: (failure?: Error) => void): () => void {
    const forget = this.#eventWaiters.add(level, id, settle)
    this.#scheduleTurn()
    this.#coming.look()
    return () => {
      forget()
      this.#coming.look()
    }
  }

  /** This thread has applied the events below `end`. */
  appended(end: EventId): void {
    if (this.#eventWaiters.isEmpty) return
    if (end > this.eventsEnd(APPLIED)) this.#marks[EVENTS] = end
    this.#coming.look()
  }

  /** @throws the failure that {@link reached} resolved with, unless this commit had reached the level before it */
  confirm(rank: 0 | Level, seq: number, failure: Error | undefined): void {
    if (failure !== undefined && rank !== 0 && seq > (this.#marks[rank] as number)) throw failure
  }

  /** Native code has news: reads the marks, settles the waits that they reach, lets in the writes that there is room for. */
  look(): void {
    this.#poll()
    this.observe()
    this.observer.drain()
    if (this.crowded) {
      // On a full device it is unknown when there will be room again; otherwise native code goes on looking for it.
      const flags = this.#marks[FLAGS] as number
      if ((flags & CROWDED_AND_FULL) === CROWDED_AND_FULL) this.#admission.refuse(() => this.#noRoom())
      else if ((flags & IS_PACED) !== 0 && !this.#admission.isEmpty) this.#lookInASlice()
      if (this.isStalled) this.#stall.watch()
      return
    }
    this.#admission.admit(() => !this.crowded && this.open === undefined && this.#failure === undefined)
    if (!this.#admission.isEmpty && this.open === undefined) this.#scheduleTurn()
  }

  /** While a flush runs, waiting writes are let in gradually. */
  #lookInASlice(): void {
    if (this.#pace !== undefined) return
    this.#pace = setTimeout(() => {
      this.#pace = undefined
      this.look()
    }, PACE_MS)
  }

  #scheduleTurn(): void {
    if (this.#turnIsScheduled) return
    // In this order: if the stack overflows between the two, the next turn asks once too often, instead of never.
    void NOW.then(this.#atItsEnd)
    this.#turnIsScheduled = true
  }

  /** Asks native code for everything that this turn waits for. With few waiters the flush may happen in here. */
  #endTurn(): void {
    this.#turnIsScheduled = false
    if (this.open !== undefined) this.open.abandon()
    const [store] = this.#handles
    if (store === undefined) return
    const waiters = this.#waiters
    const room = this.#admission.isEmpty ? 0 : 1
    const few = waiters.count <= FEW && room === 0 ? 1 : 0
    const written = waiters.takeWanted(WRITTEN)
    const durable = waiters.takeWanted(DURABLE)
    const flushed = waiters.takeWanted(FLUSHED)
    this.#awaitEvents(store)
    if (written + durable + flushed + room === 0) return
    if (flushed > 0) this.#stall.watch()
    const mark = this.environment.hot.want(store, written, durable, flushed, room, few)
    if (mark >= 0) {
      if (mark > (this.#marks[DURABLE] as number)) this.#marks[DURABLE] = mark
      if (mark > (this.#marks[WRITTEN] as number)) this.#marks[WRITTEN] = mark
      this.#settle()
    } else {
      this.writeError()
    }
    // Native code does not wake for what was reached before it knew of the wait. Followers wait without keeping the event loop alive: what was flushed in here
    // must reach them before the loop can end.
    if (waiters.count > 0 || room === 1 || !this.#eventWaiters.isEmpty) this.look()
    else this.observer.drain() // what was flushed in here has caused no wake
  }

  /** Reads the marks. The waits that they reach have to be settled at once: native code takes this for the answer to them. */
  #poll(): void {
    const [store] = this.#handles
    if (store === undefined) return
    this.environment.hot.poll(store, this.#marks)
    const flags = this.#marks[FLAGS] as number
    this.crowded = (flags & HAS_NO_ROOM) !== 0
    if (this.observer.isActive) this.observer.space((flags & IS_FULL) !== 0)
    this.#settle()
    if ((flags & HAS_FAILED) !== 0) this.#fail()
  }

  #awaitEvents(store: number): void {
    const wanted = this.#eventWaiters.takeWanted()
    if (wanted === undefined) return
    // Native code wakes at once for what is reached already.
    if (this.#failure === undefined) this.environment.cold.awaitEvents(store, ...wanted)
    else this.#eventWaiters.fail(() => this.#poisoned())
  }

  #settle(): void {
    for (const level of LEVELS) this.#waiters.settle(level, this.#marks[level] as number)
    for (const level of EVENT_LEVELS) this.#eventWaiters.settle(level, this.eventsEnd(level))
    this.#coming.look()
  }

  #fail(): void {
    const [store] = this.#handles
    if (this.#failure === undefined && store !== undefined && this.environment.hot.want(store, 0, 0, 0, 0, 0) < 0) this.writeError()
    if (this.#failure === undefined) return
    this.#waiters.fail(this.#poisoned())
    this.#eventWaiters.fail(() => this.#poisoned())
    this.#coming.look()
    this.#admission.refuse(() => this.#poisoned())
  }

  #stop(error: LedgerstoneError): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    const { failure: first } = this
    if (first === undefined || error.code !== 'ERR_POISONED' || !failures.hasSubscribers) return
    // Later: this may be in the middle of a write.
    nobodysContext(() => queueMicrotask(() => failures.publish({ path: this.path, error: first })))
  }

  /** A new error for each caller: its stack says where. */
  #poisoned(): LedgerstoneError {
    const { message, cause } = this.#failure as LedgerstoneError
    return errorOf('ERR_POISONED', message, undefined, cause)
  }
}
