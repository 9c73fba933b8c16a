// A client of locks: one environment, for one handle of a store or for a separate lock manager. A set that is free is one native call. A set that is not waits
// here, with its time limit and signal, until native code has granted it or has been asked to stop waiting.
import { closed } from '../errors.ts'
import { AbortWatch } from '../internal/abort.ts'
import { Deferred } from '../internal/deferred.ts'
import { queueMicrotask, throwIfAborted } from '../internal/platform.ts'
import type { Turns } from '../internal/turns.ts'
import type { Environment } from '../native/environment.ts'
import { EmbeddedLockGuard, type LockHolder } from './lock-guard.ts'
import { lockTimeout } from './lock-timeout.ts'
import type { LockGuard, LockSet, LockStats } from './locks.ts'
import { PackedLockSet } from './packed-lock-set.ts'
import { TimeLimits } from './time-limits.ts'

/** What happens to a set that is not free: the third argument of the native call. */
const REFUSE = 0
const WAIT = 1
const TIME_OUT = 2
/** Why the waiting ends. */
const TIME_IS_OVER = 0
const ABORTED = 1
/** What giving back or withdrawing has done, as flags. */
const DONE = 1
const OWN_GRANTS = 2
const FAILED = -3

interface Waiting {
  readonly granted: Deferred<LockGuard>
  /** Stops watching the signal. */
  readonly forget: (() => void) | undefined
}

/** The handle of a store whose locks these are. */
export interface LockingStore {
  readonly storeKey: number
  readonly shared: { readonly aborts: AbortWatch }
}

/** A packed set that is not in use. Filling it may run code of the user's, which may lock: whatever uses it takes it out of here. */
let spare: PackedLockSet | undefined
const tokens = new Float64Array(64)

/** A client of locks. */
export class LockClient implements LockHolder {
  readonly #environment: Environment
  readonly #id: number
  /** The handle of the store whose locks these are: it must not be collected earlier. */
  readonly #store: LockingStore | undefined
  readonly #aborts: AbortWatch
  readonly #waiting = new Map<number, Waiting>()
  readonly #limits = new TimeLimits((token) => this.#timeIsOver(token))
  #isClosed = false
  #looksSoon = false

  /** `id` is native code's number for the client, which ends with `store`, or when this object is collected. */
  constructor(environment: Environment, id: number, store: LockingStore | undefined) {
    this.#environment = environment
    this.#id = id
    this.#store = store
    this.#aborts = store?.shared.aborts ?? new AbortWatch()
    if (store === undefined) unreachable.register(this, { environment, id })
  }

  get turns(): Turns {
    return this.#environment.turns
  }

  /**
   * Acquires the whole set: at once if it is free, else when it becomes free within `timeoutMs`. One native call, or a few more when it waits. What is wrong from the
   * beginning is thrown.
   */
  acquire(keys: LockSet, timeoutMs: number, signal: AbortSignal | undefined): LockGuard | Promise<LockGuard> {
    const packed = this.#pack(keys)
    throwIfAborted(signal)
    const token = this.#lock(packed, timeoutMs === 0 ? TIME_OUT : WAIT)
    if (token > 0) return new EmbeddedLockGuard(this, token)
    if (token === FAILED) throw this.#environment.error()
    if (timeoutMs === 0) throw timedOut(packed)
    return this.#wait(-token, timeoutMs, signal)
  }

  /** The whole set, if it is free now. */
  tryAcquire(keys: LockSet): LockGuard | undefined {
    const token = this.#lock(this.#pack(keys), REFUSE)
    if (token > 0) return new EmbeddedLockGuard(this, token)
    if (token === FAILED) throw this.#environment.error()
    return undefined
  }

  stats(): LockStats {
    this.#check()
    return this.#environment.call((cold) => cold.lockStats(this.#id))
  }

  heldMs(token: number): number {
    return this.#environment.hot.heldMs(this.#id, token)
  }

  release(token: number): boolean {
    return this.#after(this.#environment.hot.unlock(this.#id, token))
  }

  /** Fetches the sets that have been granted after waiting. */
  look(): void {
    let count = tokens.length
    while (count === tokens.length && this.#waiting.size > 0) {
      count = this.#environment.hot.grants(this.#id, tokens)
      for (let place = 0; place < count; place++) {
        const token = tokens[place] as number
        this.#settle(token)?.granted.resolve(new EmbeddedLockGuard(this, token))
      }
    }
  }

  /** The store is closing: held sets are given back, waiters rejected. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#environment.call((cold) => cold.closeLocks(this.#id))
    for (const token of this.#waiting.keys()) this.#settle(token)?.granted.reject(closed('store'))
  }

  #check(): void {
    if (this.#isClosed) throw closed('store')
  }

  #pack(keys: LockSet): PackedLockSet {
    const packed = takeSet()
    packed.fill(keys, this.#store?.storeKey)
    this.#check()
    return packed
  }

  #lock(packed: PackedLockSet, otherwise: number): number {
    const token = this.#environment.hot.lock(this.#id, packed.buffer, packed.length, otherwise)
    spare = packed // from here on it is only read, and no user code runs before that
    return token
  }

  #wait(token: number, timeoutMs: number, signal: AbortSignal | undefined): Promise<LockGuard> {
    const granted = new Deferred<LockGuard>()
    this.#limits.add(token, timeoutMs)
    const forget = signal === undefined ? undefined : this.#aborts.add(signal, (reason) => this.#abort(token, reason))
    this.#waiting.set(token, { granted, forget })
    this.#environment.addListener(this)
    return granted.promise
  }

  #timeIsOver(token: number): void {
    const packed = takeSet()
    const done = this.#after(this.#environment.hot.withdraw(this.#id, token, TIME_IS_OVER, packed.buffer))
    spare = packed
    // Otherwise it was granted before this thread came to look at its clock.
    if (done) this.#settle(token)?.granted.reject(timedOut(packed))
    else this.look()
  }

  #abort(token: number, reason: unknown): void {
    const packed = takeSet()
    this.#after(this.#environment.hot.withdraw(this.#id, token, ABORTED, packed.buffer))
    spare = packed
    this.#settle(token)?.granted.reject(reason)
  }

  /** The waiting for it has ended. */
  #settle(token: number): Waiting | undefined {
    const waiting = this.#waiting.get(token)
    if (waiting === undefined) return undefined
    this.#waiting.delete(token)
    if (this.#waiting.size === 0) this.#environment.removeListener(this)
    this.#limits.delete(token)
    waiting.forget?.()
    return waiting
  }

  /** Sets that this thread's call has granted to other waiters of this thread: native code does not wake for them. */
  #after(flags: number): boolean {
    if ((flags & OWN_GRANTS) !== 0 && !this.#looksSoon) {
      queueMicrotask(() => {
        this.#looksSoon = false
        this.look()
      })
      this.#looksSoon = true // not before the reset is certain
    }
    return (flags & DONE) !== 0
  }
}

function takeSet(): PackedLockSet {
  const packed = spare ?? new PackedLockSet()
  spare = undefined
  return packed
}

/** From what native code has written to the beginning of the set's buffer. */
function timedOut(packed: PackedLockSet): Error {
  const { buffer } = packed
  const heldMs = Math.round(buffer.readDoubleLE(8))
  return lockTimeout(Math.round(buffer.readDoubleLE(16)), buffer.readDoubleLE(0), heldMs)
}

/** A lock manager that is unreachable has nothing to release: guards and waiters would have kept it alive. */
const unreachable = new FinalizationRegistry<{ environment: Environment; id: number }>(({ environment, id }) => {
  environment.cold.closeLocks(id)
})
