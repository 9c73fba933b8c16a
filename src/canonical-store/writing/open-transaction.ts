// A running transaction. Writes gather in the write set without a native call; the gate is taken at the first read, or at the first event whose id is needed,
// and otherwise by the commit itself. One transaction at a time runs in a store on this thread: `SharedStore.open`. Codecs are user code: first their result is
// taken, then it is checked that the transaction is still open, then the result is written.
import { errorOf, hasCode, type LedgerstoneError } from '../../errors.ts'
import type { EventId } from '../../event-log/log-types.ts'
import type { Lease } from '../../internal/lease.ts'
import { performance } from '../../internal/platform.ts'
import type { Commit, CommitInfo } from '../api/commit.ts'
import { bytesOf, type KeyBounds } from '../key-bounds.ts'
import { checkKey } from '../key-size.ts'
import type { KeySpace } from '../key-space.ts'
import { type Cursor, NativeCursor } from '../reading/cursor.ts'
import type { OwnValue, PackedKeys } from '../reading/packed-keys.ts'
import type { RangeSource } from '../reading/range.ts'
import type { RunningTransaction } from '../running-transaction.ts'
import { countEntries, type StoreHandle } from '../store-handle.ts'
import { commitWith, commitWrites } from './commit.ts'
import { MergedCursor, ownValue } from './merged-cursor.ts'
import { Overlay } from './overlay.ts'
import { giveWriteSet, takeWriteSet, type WriteSet } from './write-set.ts'

/** The one transaction that is open in a store on this thread. */
export class OpenTransaction implements RunningTransaction {
  readonly handle: StoreHandle
  readonly #writes: WriteSet
  readonly #stalls: boolean
  #hasGate = false
  #firstEventId = 0
  #overlay: Overlay | undefined
  #leases: Set<Lease> | undefined
  #isOver = false
  #doom: LedgerstoneError | undefined
  #wasPaused = false
  /** The errors of other writes that were refused, and the promises that they rejected. */
  #refusals: Set<unknown> | undefined
  #unheard: Promise<unknown>[] | undefined

  /** `stalls`: when too much is unflushed, taking the gate waits for room. */
  constructor(handle: StoreHandle, stalls: boolean) {
    this.handle = handle
    this.#stalls = stalls
    this.#writes = takeWriteSet()
    handle.shared.openTransaction(this)
    if (!stalls || !handle.shared.crowded) return
    const sinceMs = performance.now()
    try {
      this.takeGate()
    } catch (error) {
      this.#close()
      throw error
    } finally {
      // There may have been room before, without a report to this thread.
      if (performance.now() - sinceMs >= 1) handle.shared.stalled(sinceMs)
    }
  }

  /** @throws the error that doomed it, or `ERR_TRANSACTION_FINISHED` */
  check(): void {
    if (this.#doom !== undefined) {
      this.#tell()
      throw this.#doom
    }
    if (this.#isOver) throw errorOf('ERR_TRANSACTION_FINISHED', 'the transaction has ended')
  }

  /** A pause has kept it out: nothing is written, and it has to run again when the pause has ended, whatever its function did with the error. */
  get wasPaused(): boolean {
    return this.#wasPaused
  }

  /** How many other writes were attempted while it was open. */
  get refusals(): number {
    return this.#refusals?.size ?? 0
  }

  /** From now on it will not be applied, whatever its function does. */
  doom(reason: LedgerstoneError): void {
    this.#doom ??= reason
  }

  /** Another write was attempted while it is open. Returns that write's error, which also dooms the transaction. */
  refuse(): LedgerstoneError {
    const error = errorOf('ERR_TRANSACTION_OPEN', 'a write was begun inside an open transaction, which is aborted; write through the transaction')
    this.doom(error)
    ;(this.#refusals ??= new Set()).add(error)
    return error
  }

  /** Whether a write's error is one of {@link refuse}. */
  hasRefused(error: unknown): boolean {
    return this.#refusals?.has(error) === true
  }

  /** A promise that was rejected by {@link refuse}: once the transaction has reported its failure to its caller, that rejection is not unhandled. */
  tellFor(refused: Promise<unknown>): void {
    ;(this.#unheard ??= []).push(refused)
  }

  get<K, V>(space: KeySpace<K, V>, key: K): V | undefined {
    this.check()
    const slot = this.handle.slotOf(space)
    const encoded = space.readableKey(key)
    if (encoded === undefined) return undefined
    this.#takeGateForReading()
    const own = this.#own(slot, encoded)
    if (own === undefined) return this.handle.reader.get(space.values, slot, encoded)
    return this.#writes.isPut(own) ? ownValue(space, this.#writes, own, this.handle.environment) : undefined
  }

  has<K, V>(space: KeySpace<K, V>, key: K): boolean {
    this.check()
    const slot = this.handle.slotOf(space)
    const encoded = space.readableKey(key)
    return encoded !== undefined && this.#isThere(slot, encoded)
  }

  getMany<K, V>(space: KeySpace<K, V>, keys: readonly K[]): (V | undefined)[] {
    this.check()
    const slot = this.handle.slotOf(space)
    return this.handle.reader.getMany(space, slot, keys, undefined, (packed) => {
      this.#takeGateForReading()
      return this.#ownOf(slot, packed)
    })
  }

  /** The transaction's own writes of these keys: copies, since decoding one value may write another. */
  #ownOf(slot: number, packed: PackedKeys): OwnValue[] {
    const overlay = this.#overlayOf(slot)
    const own: OwnValue[] = []
    if (overlay === undefined) return own
    for (let place = 0; place < packed.starts.length; place++) {
      const at = overlay.find(slot, packed.bytesAt(place))
      if (at !== undefined) own.push({ place, bytes: this.#writes.isPut(at) ? this.#writes.valueBytes(at) : undefined })
    }
    return own
  }

  current(): RangeSource {
    return this
  }

  openCursor<K, V>(space: KeySpace<K, V>, bounds: KeyBounds, keysOnly: boolean): Cursor<K, V> {
    const { environment, reader } = this.handle
    const slot = this.handle.slotOf(space)
    this.takeGate()
    const leases = (this.#leases ??= new Set())
    const open = (narrowed: KeyBounds, limit: number): NativeCursor<K, V> =>
      new NativeCursor({ environment, reader: reader.id, slot, leases }, space, narrowed, limit, keysOnly)
    const overlay = this.#overlayOf(slot)
    if (overlay === undefined) return open(bounds, bounds.limit)
    const narrowed = overlay.narrowed(slot, bounds)
    const own = overlay.pass(slot, narrowed)
    if (own.key === undefined) {
      own.close()
      return open(narrowed, bounds.limit)
    }
    return new MergedCursor({ committed: open(narrowed, Infinity), own, writes: this.#writes, space, bounds, environment })
  }

  count<K, V>(space: KeySpace<K, V>, bounds: KeyBounds): number {
    const slot = this.handle.slotOf(space)
    this.takeGate()
    if (this.#overlayOf(slot) === undefined) return countEntries(this.handle.environment, this.handle.reader.id, slot, bounds)
    return this.#each(space, bounds, () => {})
  }

  put<K, V>(space: KeySpace<K, V>, key: K, value: unknown): void {
    this.check()
    const slot = this.handle.slotOf(space)
    const encodedKey = space.keyForPut(key)
    const encoded = space.values.encode(value)
    this.check()
    this.#writes.put(slot, encodedKey, encoded, this.handle.limits)
  }

  delete<K, V>(space: KeySpace<K, V>, key: K): boolean {
    this.check()
    const slot = this.handle.slotOf(space)
    return this.deleteEncoded(slot, space.key(key))
  }

  deleteEncoded(slot: number, key: string | Uint8Array): boolean {
    this.check()
    checkKey(key, this.handle.limits)
    if (!this.#isThere(slot, key)) return false
    this.#writes.delete(slot, key, this.handle.limits)
    return true
  }

  deleteRange<K, V>(space: KeySpace<K, V>, bounds: KeyBounds): number {
    this.check()
    if (bounds.isEmpty) return 0
    const slot = this.handle.slotOf(space)
    return this.#allOrNone(() =>
      this.#each(space, bounds, (key) => {
        this.#writes.delete(slot, Buffer.from(key, 'latin1'), this.handle.limits)
      }),
    )
  }

  append(event: unknown): EventId {
    this.check()
    const encoded = this.handle.events.encode(event)
    this.check()
    this.takeGate()
    this.#writes.event(encoded, this.handle.limits)
    return this.#firstEventId + this.#writes.events - 1
  }

  appendAll(events: readonly unknown[]): { first: EventId; last: EventId } | undefined {
    this.check()
    const { events: codec, limits } = this.handle
    // Not directly into the transaction's write set: an encoder may write through this transaction too. That write comes first, and stays if another encoder fails.
    const batch = takeWriteSet()
    try {
      for (const event of events) batch.event(codec.encode(event), limits)
      this.check()
      if (batch.isEmpty) return undefined
      this.takeGate()
      const first = this.#firstEventId + this.#writes.events
      this.#writes.append(batch, limits)
      return { first, last: this.#firstEventId + this.#writes.events - 1 }
    } finally {
      giveWriteSet(batch)
    }
  }

  /** Applies the writes. In any case the transaction is over after it. */
  commit(): CommitInfo {
    this.#checkBeforeCommit()
    try {
      return commitWrites(this.handle, this.#writes, this.#hasGate)
    } catch (error) {
      this.#wasPaused = hasCode(error, 'ERR_PAUSED')
      throw error
    } finally {
      this.#close()
    }
  }

  /** The same with the result of its function. */
  commitWith<T>(result: T): Commit<T> {
    this.#checkBeforeCommit()
    try {
      return commitWith(this.handle, this.#writes, this.#hasGate, result)
    } catch (error) {
      this.#wasPaused = hasCode(error, 'ERR_PAUSED')
      throw error
    } finally {
      this.#close()
    }
  }

  /** @throws the error that doomed it, or `ERR_TRANSACTION_FINISHED` */
  #checkBeforeCommit(): void {
    if (this.#doom !== undefined) this.abort()
    this.check()
  }

  /** Ends it; its caller gets an error, perhaps the function's own. */
  fail(): void {
    this.abort()
    this.#tell()
  }

  /** The caller learns that it is not applied: rejections of refused writes are handled. */
  #tell(): void {
    if (this.#unheard !== undefined) for (const refused of this.#unheard) refused.catch(() => {})
  }

  /** Ends it without writing anything; does nothing after its end. The gate first: if this is cut off, the end of the turn repeats it. */
  abort(): void {
    if (this.#isOver) return
    if (this.#hasGate) this.handle.environment.hot.abort(this.handle.id)
    this.#close()
  }

  /** The turn has ended before the transaction. */
  abandon(): void {
    this.doom(errorOf('ERR_TRANSACTION_FINISHED', 'the transaction was aborted: it was still open when the next microtask ran'))
    this.#hasGate = true // it may have been cut off right after taking it; giving back a gate that is not held does no harm
    this.abort()
  }

  /** From here on no other writer runs. @throws `ERR_BUSY`, `ERR_PAUSED`, `ERR_BACKPRESSURE` and what forbids writing */
  takeGate(): void {
    if (this.#hasGate) return
    this.check() // a transaction that is over would never give it back
    const next = this.handle.environment.hot.begin(this.handle.id, this.#stalls ? 1 : 0)
    if (next < 0) {
      const error = this.handle.shared.writeError()
      this.#wasPaused = hasCode(error, 'ERR_PAUSED')
      if (this.#wasPaused) this.doom(error)
      throw error
    }
    this.#hasGate = true
    this.#firstEventId = next
  }

  /** The place of the transaction's last record of a key. */
  #own(slot: number, key: string | Uint8Array): number | undefined {
    return this.#overlayOf(slot)?.find(slot, bytesOf(key))
  }

  /** Called after a key was encoded, perhaps by user code. */
  #takeGateForReading(): void {
    this.check()
    this.takeGate()
  }

  #isThere(slot: number, key: string | Uint8Array): boolean {
    this.#takeGateForReading()
    const own = this.#own(slot, key)
    return own === undefined ? this.handle.reader.has(slot, key) : this.#writes.isPut(own)
  }

  /** The transaction's own writes, if there are any in this collection. */
  #overlayOf(slot: number): Overlay | undefined {
    if (this.#overlay === undefined) {
      if (this.#writes.isEmpty) return undefined
      this.#overlay = new Overlay(this.#writes)
    }
    return this.#overlay.has(slot) ? this.#overlay : undefined
  }

  #each<K, V>(space: KeySpace<K, V>, bounds: KeyBounds, visit: (key: string) => void): number {
    const cursor = this.openCursor(space, bounds, true)
    try {
      let count = 0
      for (; cursor.advance(); count++) visit(cursor.keyBytes())
      return count
    } finally {
      cursor.close()
    }
  }

  /** Runs a call that makes several records: if it fails, it has made none. */
  #allOrNone<T>(write: () => T): T {
    const { length, events } = this.#writes
    try {
      return write()
    } catch (error) {
      this.#writes.rewind(length, events)
      this.#overlay = undefined // it may contain some of them
      throw error
    }
  }

  #close(): void {
    this.#isOver = true
    this.handle.shared.closeTransaction(this)
    if (this.#leases !== undefined) for (const lease of this.#leases) lease.close()
    this.#overlay = undefined
    giveWriteSet(this.#writes)
  }
}
