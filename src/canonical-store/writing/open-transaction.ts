// A transaction while it runs. Writes gather in the write set without a native call; the gate is taken at the first read, or at the first event
// whose id is asked for, and otherwise by the commit itself. Exactly one runs in a store at a time on this thread: `SharedStore.open`. Codecs are the
// user's code: what they give is taken first, then it is looked whether the transaction is still open, then it is written.
import { errorOf, hasCode, type LedgerstoneError } from '../../errors.ts'
import type { EventId } from '../../event-log/log-types.ts'
import type { Lease } from '../../internal/lease.ts'
import { performance } from '../../internal/platform.ts'
import type { Commit, CommitInfo } from '../api/commit.ts'
import { bytesOf, type KeyBounds } from '../key-bounds.ts'
import type { KeySpace } from '../key-space.ts'
import { type Cursor, NativeCursor } from '../reading/cursor.ts'
import type { OwnValue, PackedKeys } from '../reading/packed-keys.ts'
import type { RangeSource } from '../reading/range.ts'
import type { RunningTransaction } from '../running-transaction.ts'
import { countEntries, type StoreHandle } from '../store-handle.ts'
import { commitWith, commitWrites } from './commit.ts'
import { MergedCursor, ownValue } from './merged-cursor.ts'
import { Overlay } from './overlay.ts'
import { checkKey, giveWriteSet, takeWriteSet, type WriteSet } from './write-set.ts'

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
  /** The errors with which writes beside it were refused, and the promises that have them. */
  #refusals: Set<unknown> | undefined
  #unheard: Promise<unknown>[] | undefined

  /** `stalls`: taking the gate waits for room when too much is unflushed, instead of going ahead. */
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
      // There may have been room by then, unheard of here.
      if (performance.now() - sinceMs >= 1) handle.shared.stalled(sinceMs)
    }
  }

  /** @throws what doomed it, or `ERR_TRANSACTION_FINISHED` */
  check(): void {
    if (this.#doom !== undefined) {
      this.#tell()
      throw this.#doom
    }
    if (this.#isOver) throw errorOf('ERR_TRANSACTION_FINISHED', 'the transaction has ended')
  }

  /** A pause has kept it out: nothing is written, and it is to run again when that has ended, whatever its function has made of it. */
  get wasPaused(): boolean {
    return this.#wasPaused
  }

  /** How many writes were begun beside it. */
  get refusals(): number {
    return this.#refusals?.size ?? 0
  }

  /** It will not be applied, whatever its function does from now on. */
  doom(reason: LedgerstoneError): void {
    this.#doom ??= reason
  }

  /** A write was begun beside it. The error is that write's, and its own end. */
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

  /** A promise that has been rejected by {@link refuse}: when the transaction tells its caller that it has failed, nobody has to listen to that one too. */
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

  /** What of these keys it has written itself: copies, since decoding one value may write another. */
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
    // Beside what is written already: an encoder may write through this transaction too, which comes before then and stays when another one fails.
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

  /** Applies what was written. Whatever comes of it, the transaction is over. */
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

  /** The same with what its function returned. */
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

  /** @throws what doomed it, or `ERR_TRANSACTION_FINISHED` */
  #checkBeforeCommit(): void {
    if (this.#doom !== undefined) this.abort()
    this.check()
  }

  /** Ends it; its caller is told, with the function's own error perhaps. */
  fail(): void {
    this.abort()
    this.#tell()
  }

  /** The user is told that it is not applied. */
  #tell(): void {
    if (this.#unheard !== undefined) for (const refused of this.#unheard) refused.catch(() => {})
  }

  /** Ends it without a trace; harmless after its end. The gate first: should this be cut off, it is done again at the end of the turn. */
  abort(): void {
    if (this.#isOver) return
    if (this.#hasGate) this.handle.environment.hot.abort(this.handle.id)
    this.#close()
  }

  /** The turn has ended, and nobody has ended it. */
  abandon(): void {
    this.doom(errorOf('ERR_TRANSACTION_FINISHED', 'the transaction was aborted: it was still open when the next microtask ran'))
    this.#hasGate = true // it may have been cut off right behind taking it; giving back what is not held does no harm
    this.abort()
  }

  /** From here on nobody else writes. @throws `ERR_BUSY`, `ERR_PAUSED`, `ERR_BACKPRESSURE` and what forbids writing */
  takeGate(): void {
    if (this.#hasGate) return
    this.check() // one that is over would never give it back
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

  /** Where the transaction's own last record of a key is. */
  #own(slot: number, key: string | Uint8Array): number | undefined {
    return this.#overlayOf(slot)?.find(slot, bytesOf(key))
  }

  /** A key has been encoded, by the user's code perhaps. */
  #takeGateForReading(): void {
    this.check()
    this.takeGate()
  }

  #isThere(slot: number, key: string | Uint8Array): boolean {
    this.#takeGateForReading()
    const own = this.#own(slot, key)
    return own === undefined ? this.handle.reader.has(slot, key) : this.#writes.isPut(own)
  }

  /** The transaction's own writes, when it has written to this collection. */
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

  /** A call that makes several records: when it fails it has made none. */
  #allOrNone<T>(write: () => T): T {
    const { length, events } = this.#writes
    try {
      return write()
    } catch (error) {
      this.#writes.rewind(length, events)
      this.#overlay = undefined // it may have taken in some of them
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
