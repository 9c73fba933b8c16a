// The path of a write: checked, made to wait while there is no room, otherwise run or committed at once, and then awaited. The only place that knows what is
// forbidden while a transaction is open. Options, keys, values and events are read before anything is done, as that may run user code. Whether a pause came in
// between is a result, PAUSED: an error with that code may be another store's that a user's function passes on.
import { rankOf } from '../../compare-durability.ts'
import { errorOf, hasCode, invalidArgument } from '../../errors.ts'
import { owned } from '../../internal/bytes.ts'
import { throwIfAborted } from '../../internal/platform.ts'
import { isThenable, leaveUnheard } from '../../internal/thenable.ts'
import { checkFunction, checkOptions, signalOf } from '../../internal/validate.ts'
import { checkedTimeout, DEFAULT_LOCK_TIMEOUT_MS } from '../../lock-manager/lock-timeout.ts'
import type { ColdCalls } from '../../native/binding.ts'
import type { Commit, CommitInfo, WriteOptions } from '../api/commit.ts'
import type { CheckOptions, CheckReport, Checks, Phases, PhasesOptions } from '../api/phases.ts'
import type { Transaction, WriteTxn } from '../api/transaction.ts'
import type { SingleWrites } from '../collection.ts'
import type { KeySpace } from '../key-space.ts'
import { CHANGED, Preflight } from '../preflight/preflight.ts'
import type { SharedStore } from '../shared-store.ts'
import type { StoreHandle } from '../store-handle.ts'
import { PAUSED } from '../watching/admission.ts'
import { commitWrites } from './commit.ts'
import { OpenTransaction } from './open-transaction.ts'
import { EmbeddedTransaction, EmbeddedWriteTxn } from './transaction.ts'
import { EmbeddedWriteHandle } from './write-handle.ts'
import { giveWriteSet, takeWriteSet, type WriteSet } from './write-set.ts'

const WRITE_OPTIONS: ReadonlySet<string> = new Set(['durability', 'signal'])
const PHASES_OPTIONS: ReadonlySet<string> = new Set(['durability', 'signal', 'timeoutMs'])
const CHECK_OPTIONS: ReadonlySet<string> = new Set(['signal', 'timeoutMs'])
const PHASES: ReadonlySet<string> = new Set(['keys', 'preflight', 'apply'])
const CHECKS: ReadonlySet<string> = new Set(['keys', 'preflight'])

interface Outcome<T> {
  readonly result: T
  readonly commit: CommitInfo
}

/** The writes of one handle. */
export class Writer implements SingleWrites {
  readonly #handle: StoreHandle

  constructor(handle: StoreHandle) {
    this.#handle = handle
  }

  apply<T>(fn: (tx: Transaction<never>) => T): EmbeddedWriteHandle<T> {
    checkFunction(fn, 'fn')
    this.#enterAtOnce()
    const { result, commit } = this.#run(fn)
    return new EmbeddedWriteHandle(result, commit, this.#handle.shared, this.#handle.rank)
  }

  transact<T>(fn: (tx: Transaction<never>) => T, options: WriteOptions | undefined): Promise<Commit<T>> {
    try {
      checkFunction(fn, 'fn')
      const rank = this.#rankOf(options)
      const signal = signalOf(options)
      this.#enter(signal)
      const { shared, mustQueue } = this.#handle
      if (mustQueue) return this.#transactLater(fn, rank, signal)
      const commit = this.#runToCommit(fn)
      // Another thread's pause came in between: it runs again after that.
      if (commit === PAUSED) return this.#transactLater(fn, rank, signal)
      return shared.committed(rank, commit)
    } catch (error) {
      return this.#rejected(error)
    }
  }

  /** A separate function: a method that makes a closure pays for it even if it returns before that. */
  #transactLater<T>(fn: (tx: Transaction<never>) => T, rank: 0 | 1 | 2, signal: AbortSignal | undefined): Promise<Commit<T>> {
    return this.#awaited(
      rank,
      this.#holdBack(() => this.#runToCommit(fn), signal),
    )
  }

  transactPhases<P, T>(phases: Phases<never, P, T>, options: PhasesOptions | undefined): Promise<Commit<T>> {
    return this.begun(() => this.#transactPhases(phases, options))
  }

  async #transactPhases<P, T>(phases: Phases<never, P, T>, options: PhasesOptions | undefined): Promise<Commit<T>> {
    checkOptions(phases, PHASES, 'phases')
    const { keys, preflight, apply } = phases
    checkFunction(preflight, 'preflight')
    checkFunction(apply, 'apply')
    const rank = this.#rankOf(options, PHASES_OPTIONS)
    const timeoutMs = checkedTimeout(options?.timeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS)
    const signal = signalOf(options)
    const handle = this.#handle
    this.#enter(signal)
    const enter = (): void => {
      handle.checkWritable()
      throwIfAborted(signal)
    }
    const committed = await new Preflight(handle, { keys, preflight }, { timeoutMs, signal, enter }).run((checked, { reads }) => {
      const work = (open: OpenTransaction): T => {
        if (!reads.isEmpty) {
          open.takeGate()
          if (!reads.stillHold()) throw CHANGED
        }
        return synchronous((apply as (tx: Transaction<never>, checked: P) => T)(new EmbeddedTransaction(open), checked))
      }
      return this.#admit(() => this.#commitOf(work), signal)
    })
    return this.#awaited(rank, committed)
  }

  examine<P>(checks: Checks<P>, options: CheckOptions | undefined): Promise<CheckReport> {
    return this.begun(() => this.#examine(checks, options))
  }

  async #examine<P>(checks: Checks<P>, options: CheckOptions | undefined): Promise<CheckReport> {
    checkOptions(checks, CHECKS, 'checks')
    const { keys, preflight } = checks
    checkFunction(preflight, 'preflight')
    checkOptions(options, CHECK_OPTIONS, 'options')
    const timeoutMs = checkedTimeout(options?.timeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS)
    const signal = signalOf(options)
    const handle = this.#handle
    const enter = (): void => {
      handle.check()
      throwIfAborted(signal)
    }
    enter()
    this.#enterNoTransaction()
    return new Preflight(handle, { keys, preflight }, { timeoutMs, signal, enter }).examine()
  }

  writeTxn(): WriteTxn<never> {
    this.#enterAtOnce()
    const open = new OpenTransaction(this.#handle, true)
    return new EmbeddedWriteTxn(open, () => new EmbeddedWriteHandle<void>(undefined, open.commit(), this.#handle.shared, this.#handle.rank))
  }

  put<K, V>(space: KeySpace<K, V>, key: K, value: unknown, options: WriteOptions | undefined): Promise<CommitInfo> {
    return this.#write(options, (writes, { limits }) => writes.put(space.slot, space.keyForPut(key), space.values.encode(value), limits))
  }

  delete<K, V>(space: KeySpace<K, V>, key: K, options: WriteOptions | undefined): Promise<CommitInfo> {
    try {
      const rank = this.#rankOf(options)
      const signal = signalOf(options)
      const encoded = owned(space.key(key))
      return this.#awaited(
        rank,
        this.#admit(() => this.#deleteToCommit(space.slot, encoded), signal),
      )
    } catch (error) {
      return this.#rejected(error)
    }
  }

  appendAll(events: readonly unknown[], options: WriteOptions | undefined): Promise<CommitInfo> {
    if (!Array.isArray(events)) return this.#handle.environment.turns.refuse(invalidArgument('events', 'an array of events is needed'))
    return this.#write(options, (writes, handle) => {
      for (const event of events) writes.event(handle.events.encode(event), handle.limits)
    })
  }

  drop(slot: () => number, options: WriteOptions | undefined): Promise<CommitInfo> {
    return this.#write(options, (writes, { limits }) => writes.drop(slot(), limits))
  }

  /** A commit without a user's function: what it writes is encoded, and so copied, at the call. */
  #write(options: WriteOptions | undefined, fill: (writes: WriteSet, handle: StoreHandle) => void): Promise<CommitInfo> {
    const handle = this.#handle
    try {
      const rank = this.#rankOf(options)
      const signal = signalOf(options)
      this.#enter(signal)
      const writes = takeWriteSet()
      try {
        fill(writes, handle)
        this.#enter(signal) // an encoder may have run any code
        return this.#awaited(rank, handle.mustQueue ? this.#hold(writes.compact(), signal) : this.#commitOrHold(writes, signal))
      } finally {
        giveWriteSet(writes)
      }
    } catch (error) {
      return this.#rejected(error)
    }
  }

  /** Waits until a commit that is applied, or will be, has reached its level. */
  #awaited<C extends CommitInfo>(rank: 0 | 1 | 2, admitted: C | Promise<C>): Promise<C> {
    const { shared } = this.#handle
    return isThenable(admitted) ? committedLater(shared, rank, admitted) : shared.committed(rank, admitted)
  }

  #commitOrHold(writes: WriteSet, signal: AbortSignal | undefined): CommitInfo | Promise<CommitInfo> {
    const commit = this.#commitBlind(writes)
    return commit === PAUSED ? this.#hold(writes.compact(), signal) : commit
  }

  #commitBlind(writes: WriteSet): CommitInfo | typeof PAUSED {
    try {
      return commitWrites(this.#handle, writes, false)
    } catch (error) {
      if (hasCode(error, 'ERR_PAUSED')) return PAUSED // from native code: no user code has run
      throw error
    }
  }

  #hold(writes: WriteSet, signal: AbortSignal | undefined): Promise<CommitInfo> {
    const handle = this.#handle
    return handle.shared.hold(handle, () => this.#commitBlind(writes), signal)
  }

  /** Runs `attempt` within this call, or later when it has to queue. */
  #admit<T>(attempt: () => T | typeof PAUSED, signal: AbortSignal | undefined): T | Promise<T> {
    this.#enter(signal)
    if (this.#handle.mustQueue) return this.#holdBack(attempt, signal)
    const outcome = attempt()
    // Another thread's pause came in between: it runs again after that.
    return outcome === PAUSED ? this.#holdBack(attempt, signal) : outcome
  }

  #holdBack<T>(attempt: () => T | typeof PAUSED, signal: AbortSignal | undefined): Promise<T> {
    const handle = this.#handle
    const later = (): T | typeof PAUSED => {
      handle.checkWritable() // it may have been sealed since
      return attempt()
    }
    return handle.shared.hold(handle, later, signal)
  }

  /** A transaction that may stall, and never runs again. */
  #run<T>(fn: (tx: Transaction<never>) => T): Outcome<T> {
    const open = new OpenTransaction(this.#handle, true)
    try {
      return { result: synchronous(fn(new EmbeddedTransaction(open))), commit: open.commit() }
    } catch (error) {
      open.fail()
      throw error
    }
  }

  #runToCommit<T>(fn: (tx: Transaction<never>) => T): Commit<T> | typeof PAUSED {
    const open = new OpenTransaction(this.#handle, false)
    try {
      return open.commitWith(synchronous(fn(new EmbeddedTransaction(open))))
    } catch (error) {
      return pausedOr(open, error)
    }
  }

  #commitOf<T>(work: (open: OpenTransaction) => T): Commit<T> | typeof PAUSED {
    const open = new OpenTransaction(this.#handle, false)
    try {
      return open.commitWith(work(open))
    } catch (error) {
      return pausedOr(open, error)
    }
  }

  #deleteToCommit(slot: number, key: string | Uint8Array): CommitInfo | typeof PAUSED {
    const open = new OpenTransaction(this.#handle, false)
    try {
      open.deleteEncoded(slot, key)
      return open.commit()
    } catch (error) {
      return pausedOr(open, error)
    }
  }

  /** Whether a change of the store's condition may begin: as for a write, but also when the store is sealed. */
  check(): void {
    const handle = this.#handle
    handle.check()
    this.#enterNoTransaction()
    handle.checkWhole()
  }

  /** Begins a write of several steps. If an open transaction refuses it, the transaction reports that, and this promise's rejection is not unhandled. */
  begun<T>(begin: () => Promise<T>): Promise<T> {
    const { open } = this.#handle.shared
    const refusals = open?.refusals
    const promise = this.#handle.environment.turns.within(begin)
    if (open !== undefined && open.refusals !== refusals) open.tellFor(promise)
    return promise
  }

  /** Makes a change that waits for the end of a pause, as writes do, but not for room, which it may create. */
  change<T>(make: (cold: ColdCalls) => Promise<T>): Promise<T> {
    return this.begun(() => this.#change(make))
  }

  async #change<T>(make: (cold: ColdCalls) => Promise<T>): Promise<T> {
    const handle = this.#handle
    const attempt = (): Promise<T> => handle.environment.callAsync(make)
    this.#enter()
    for (;;) {
      try {
        return await (handle.isPaused ? handle.shared.hold(handle, attempt, undefined) : attempt())
      } catch (error) {
        if (!hasCode(error, 'ERR_PAUSED')) throw error
      }
    }
  }

  /** Begins a write that does not wait. */
  #enterAtOnce(): void {
    this.#enter()
    if (this.#handle.isPaused) throw errorOf('ERR_PAUSED', 'ingestion is paused')
  }

  /** Begins a write: refused on a closed or failed store, inside a transaction, and when its signal has aborted already. */
  #enter(signal?: AbortSignal): void {
    const handle = this.#handle
    handle.check()
    this.#enterNoTransaction()
    handle.checkWritable()
    throwIfAborted(signal)
  }

  #enterNoTransaction(): void {
    const { open } = this.#handle.shared
    if (open !== undefined) throw open.refuse()
  }

  /** As {@link begun}, for a write of one step. */
  #rejected(error: unknown): Promise<never> {
    const promise = this.#handle.environment.turns.refuse(error)
    const { open } = this.#handle.shared
    if (open?.hasRefused(error) === true) open.tellFor(promise)
    return promise
  }

  #rankOf(options: WriteOptions | undefined, known: ReadonlySet<string> = WRITE_OPTIONS): 0 | 1 | 2 {
    if (options === undefined) return this.#handle.rank
    checkOptions(options, known, 'options')
    const { durability } = options
    return durability === undefined ? this.#handle.rank : rankOf(durability, 'durability')
  }
}

/** The outcome of a transaction that was not committed. If a pause kept it out, it runs again, whatever its function did with the error. */
function pausedOr(open: OpenTransaction, error: unknown): typeof PAUSED {
  open.fail()
  if (open.wasPaused) return PAUSED
  throw error
}

function committedLater<C extends CommitInfo>(shared: SharedStore, rank: 0 | 1 | 2, admitted: Promise<C>): Promise<C> {
  return admitted.then((commit) => shared.committed(rank, commit))
}

/** What a callback has returned, if it is no promise. */
function synchronous<T>(result: T): T {
  if (isThenable(result)) throw asyncTransaction(result)
  return result
}

function asyncTransaction(result: unknown): Error {
  leaveUnheard(result) // it is going to fail, because its transaction has ended
  return errorOf('ERR_ASYNC_TRANSACTION', 'the callback of a transaction returned a promise; the transaction is aborted')
}
