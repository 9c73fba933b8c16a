// How writes get in: checked, held back while there is no room, run or committed at once otherwise, and then awaited. The only place that
// knows what may not happen while a transaction is open.
import { types } from 'node:util'
import { rankOf } from '../durability.ts'
import type { ColdCalls } from '../binding.ts'
import { errorOf, hasCode, invalidArgument } from '../errors.ts'
import { owned } from '../internal/bytes.ts'
import { isThenable } from '../internal/thenable.ts'
import { checkFunction, checkOptions, checkSignal } from '../internal/validate.ts'
import { checkedTimeout, DEFAULT_LOCK_TIMEOUT_MS } from '../lock-manager/lock-manager.ts'
import type { Commit, CommitInfo, Transaction, WriteOptions, WriteTxn } from './canonical-store.ts'
import { commitWrites } from './commit.ts'
import type { KeySpace } from './key-space.ts'
import { OpenTransaction } from './open-transaction.ts'
import type { CheckOptions, CheckReport, Checks, Phases, PhasesOptions } from './phases.ts'
import { CHANGED, Preflight } from './preflight.ts'
import type { StoreHandle } from './store-handle.ts'
import { EmbeddedTransaction, EmbeddedWriteTxn } from './transaction.ts'
import { EmbeddedWriteHandle } from './write-handle.ts'
import type { WriteSet } from './write-set.ts'

const WRITE_OPTIONS: ReadonlySet<string> = new Set(['durability', 'signal'])
const PHASES_OPTIONS: ReadonlySet<string> = new Set(['durability', 'signal', 'timeoutMs'])
const CHECK_OPTIONS: ReadonlySet<string> = new Set(['signal', 'timeoutMs'])
const PHASES: ReadonlySet<string> = new Set(['keys', 'preflight', 'apply'])
const CHECKS: ReadonlySet<string> = new Set(['keys', 'preflight'])

interface Outcome<T> { readonly result: T; readonly commit: CommitInfo }

/** The writes of one handle. */
export class Writer {
  readonly #handle: StoreHandle

  constructor(handle: StoreHandle) {
    this.#handle = handle
  }

  apply<T>(fn: (tx: Transaction<never>) => T): EmbeddedWriteHandle<T> {
    checkFunction(fn, 'fn')
    this.#enterAtOnce()
    const { result, commit } = this.#run(fn, true)
    return new EmbeddedWriteHandle(result, commit, this.#handle.shared, this.#handle.rank)
  }

  async transact<T>(fn: (tx: Transaction<never>) => T, options: WriteOptions | undefined): Promise<Commit<T>> {
    checkFunction(fn, 'fn')
    const rank = this.#rankOf(options)
    const admitted = this.#admit(() => this.#run(fn, false), options)
    const { result, commit } = admitted instanceof Promise ? await admitted : admitted
    const reached = this.#handle.shared.reached(rank, commit.seq)
    if (reached !== undefined) this.#handle.shared.confirm(rank, commit.seq, await reached)
    return { ...commit, result }
  }

  async transactPhases<P, T>(phases: Phases<never, P, T>, options: PhasesOptions | undefined): Promise<Commit<T>> {
    checkOptions(phases, PHASES, 'phases')
    const { keys, preflight, apply } = phases
    checkFunction(preflight, 'preflight')
    checkFunction(apply, 'apply')
    const rank = this.#rankOf(options, PHASES_OPTIONS)
    const timeoutMs = checkedTimeout(options?.timeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS)
    const signal = options?.signal
    const handle = this.#handle
    this.#enter(signal)
    const enter = (): void => {
      handle.checkWritable()
      signal?.throwIfAborted()
    }
    const { result, commit } = await new Preflight(handle, { keys, preflight }, { timeoutMs, signal, enter }).run((checked, { reads }) => {
      const work = (open: OpenTransaction): T => {
        if (!reads.isEmpty) {
          open.takeGate()
          if (!reads.stillHold()) throw CHANGED
        }
        return synchronous((apply as (tx: Transaction<never>, checked: P) => T)(new EmbeddedTransaction(open), checked))
      }
      return this.#admit(() => this.#execute(work, false), options)
    })
    const reached = this.#handle.shared.reached(rank, commit.seq)
    if (reached !== undefined) this.#handle.shared.confirm(rank, commit.seq, await reached)
    return { ...commit, result }
  }

  async examine<P>(checks: Checks<P>, options: CheckOptions | undefined): Promise<CheckReport> {
    checkOptions(checks, CHECKS, 'checks')
    const { keys, preflight } = checks
    checkFunction(preflight, 'preflight')
    checkOptions(options, CHECK_OPTIONS, 'options')
    checkSignal(options?.signal, 'signal')
    const timeoutMs = checkedTimeout(options?.timeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS)
    const signal = options?.signal
    const handle = this.#handle
    const enter = (): void => {
      handle.check()
      signal?.throwIfAborted()
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
    return this.#write(options, (writes, { limits }) => writes.put(space.slot, space.key(key), space.values.encode(value), limits))
  }

  async delete<K, V>(space: KeySpace<K, V>, key: K, options: WriteOptions | undefined): Promise<CommitInfo> {
    const rank = this.#rankOf(options)
    const encoded = owned(space.key(key))
    const { commit } = await this.#admit(() => this.#execute((open) => open.deleteEncoded(space.slot, encoded), false), options)
    const reached = this.#handle.shared.reached(rank, commit.seq)
    if (reached !== undefined) this.#handle.shared.confirm(rank, commit.seq, await reached)
    return commit
  }

  appendAll(events: readonly unknown[], options: WriteOptions | undefined): Promise<CommitInfo> {
    if (!Array.isArray(events)) return Promise.reject(invalidArgument('events', 'an array of events is needed'))
    return this.#write(options, (writes, handle) => {
      for (const event of events) writes.event(handle.events.encode(event), handle.limits)
    })
  }

  drop(slot: () => number, options: WriteOptions | undefined): Promise<CommitInfo> {
    return this.#write(options, (writes, { limits }) => writes.drop(slot(), limits))
  }

  /** A commit that no function runs for: what it writes is encoded, and so copied, at the call. */
  async #write(options: WriteOptions | undefined, fill: (writes: WriteSet, handle: StoreHandle) => void): Promise<CommitInfo> {
    const handle = this.#handle
    const rank = this.#rankOf(options)
    this.#enter(options?.signal)
    const writes = handle.environment.takeWriteSet()
    let commit: CommitInfo | Promise<CommitInfo>
    try {
      fill(writes, handle)
      commit = handle.mustQueue ? this.#hold(writes.compact(), options?.signal) : this.#commitOrHold(writes, options?.signal)
    } finally {
      handle.environment.giveWriteSet(writes)
    }
    const applied = commit instanceof Promise ? await commit : commit
    const reached = handle.shared.reached(rank, applied.seq)
    if (reached !== undefined) handle.shared.confirm(rank, applied.seq, await reached)
    return applied
  }

  #commitOrHold(writes: WriteSet, signal: AbortSignal | undefined): CommitInfo | Promise<CommitInfo> {
    try {
      return commitWrites(this.#handle, writes, false)
    } catch (error) {
      if (hasCode(error, 'ERR_PAUSED')) return this.#hold(writes.compact(), signal)
      throw error
    }
  }

  #hold(writes: WriteSet, signal: AbortSignal | undefined): Promise<CommitInfo> {
    const handle = this.#handle
    return handle.shared.hold(handle, () => commitWrites(handle, writes, false), signal)
  }

  /** Runs `attempt` within this call, or later when it has to queue. */
  #admit<T>(attempt: () => T, options: WriteOptions | undefined): T | Promise<T> {
    this.#enter(options?.signal)
    const handle = this.#handle
    const later = (): T => {
      handle.checkWritable() // it may have been sealed meanwhile
      return attempt()
    }
    const hold = (): Promise<T> => handle.shared.hold(handle, later, options?.signal)
    if (handle.mustQueue) return hold()
    try {
      return attempt()
    } catch (error) {
      // Another thread's pause came in between. Nothing was written: it runs again afterwards.
      if (hasCode(error, 'ERR_PAUSED')) return hold()
      throw error
    }
  }

  #run<T>(fn: (tx: Transaction<never>) => T, stalls: boolean): Outcome<T> {
    return this.#execute((open) => synchronous(fn(new EmbeddedTransaction(open))), stalls)
  }

  #execute<T>(work: (open: OpenTransaction) => T, stalls: boolean): Outcome<T> {
    const open = new OpenTransaction(this.#handle, stalls)
    let result: T
    try {
      result = work(open)
    } catch (error) {
      open.abort()
      throw error
    }
    return { result, commit: open.commit() }
  }

  /** Whether a change of the store's condition may begin: as for a write, but not being sealed. */
  check(): void {
    const handle = this.#handle
    handle.check()
    this.#enterNoTransaction()
    handle.checkWhole()
  }

  /** Makes a change that waits for the end of a pause, as writes do, and not for room, which it may be the one to make. */
  async change<T>(make: (cold: ColdCalls) => Promise<T>): Promise<T> {
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

  /** A write that does not wait begins. */
  #enterAtOnce(): void {
    this.#enter()
    if (this.#handle.isPaused) throw errorOf('ERR_PAUSED', 'ingestion is paused')
  }

  /** A write begins: not on a closed or failed store, not inside a transaction, not when it has been given up already. */
  #enter(signal?: AbortSignal): void {
    const handle = this.#handle
    handle.check()
    this.#enterNoTransaction()
    handle.checkWritable()
    signal?.throwIfAborted()
  }

  #enterNoTransaction(): void {
    const { open } = this.#handle.shared
    if (open !== undefined) {
      const error = errorOf('ERR_TRANSACTION_OPEN', 'a write was begun inside an open transaction, which is aborted; write through the transaction')
      open.doom(error)
      throw error
    }
  }

  #rankOf(options: WriteOptions | undefined, known: ReadonlySet<string> = WRITE_OPTIONS): 0 | 1 | 2 {
    if (options === undefined) return this.#handle.rank
    checkOptions(options, known, 'options')
    checkSignal(options.signal, 'signal')
    return options.durability === undefined ? this.#handle.rank : rankOf(options.durability, 'durability')
  }
}

/** What a callback has returned, if it is no promise. */
function synchronous<T>(result: T): T {
  if (isThenable(result)) throw asyncTransaction(result)
  return result
}

function asyncTransaction(result: unknown): Error {
  // It is going to fail, because its transaction has ended; that must not become an unhandled rejection beside the error it gets here.
  if (types.isPromise(result)) result.catch(() => {})
  return errorOf('ERR_ASYNC_TRANSACTION', 'the callback of a transaction returned a promise; the transaction is aborted')
}
