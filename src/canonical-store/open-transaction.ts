// A transaction while it runs. Writes gather in the write set without a native call; the gate is taken at the first read, or at the first event
// whose id is asked for, and otherwise by the commit itself. Exactly one runs in a store at a time on this thread: `SharedStore.open`.
import { errorOf, type LedgerstoneError } from '../errors.ts'
import type { Lease } from '../internal/lease.ts'
import type { Commit, CommitInfo, EventId } from './canonical-store.ts'
import { commitWith, commitWrites } from './commit.ts'
import { type Cursor, NativeCursor } from './cursor.ts'
import { bytesOf, type KeyBounds } from './key-bounds.ts'
import type { KeySpace } from './key-space.ts'
import { MergedCursor, ownValue } from './merged-cursor.ts'
import { Overlay } from './overlay.ts'
import type { RangeSource } from './range.ts'
import { countEntries, type StoreHandle } from './store-handle.ts'
import { checkKey, type WriteSet } from './write-set.ts'

/** The one transaction that is open in a store on this thread. */
export class OpenTransaction implements RangeSource {
  readonly handle: StoreHandle
  readonly #writes: WriteSet
  readonly #stalls: boolean
  #hasGate = false
  #firstEventId = 0
  #overlay: Overlay | undefined
  #leases: Set<Lease> | undefined
  #isOver = false
  #doom: LedgerstoneError | undefined

  /** `stalls`: taking the gate waits for room when too much is unflushed, instead of going ahead. */
  constructor(handle: StoreHandle, stalls: boolean) {
    this.handle = handle
    this.#stalls = stalls
    this.#writes = handle.environment.takeWriteSet()
    handle.shared.open = this
    if (!stalls || !handle.shared.crowded) return
    const sinceMs = performance.now()
    try {
      this.takeGate()
    } catch (error) {
      this.#end()
      this.#giveBack()
      throw error
    } finally {
      // There may have been room by then, unheard of here.
      if (performance.now() - sinceMs >= 1) handle.shared.stalled(sinceMs)
    }
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** @throws what doomed it, or `ERR_TRANSACTION_FINISHED` */
  check(): void {
    if (this.#doom !== undefined) throw this.#doom
    if (this.#isOver) throw errorOf('ERR_TRANSACTION_FINISHED', 'the transaction has ended')
  }

  /** It will not be applied, whatever its function does from now on. */
  doom(reason: LedgerstoneError): void {
    this.#doom ??= reason
  }

  get<K, V>(space: KeySpace<K, V>, key: K): V | undefined {
    this.check()
    const slot = this.handle.slotOf(space)
    const encoded = space.readableKey(key)
    if (encoded === undefined) return undefined
    this.takeGate()
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
    this.takeGate()
    const found = this.handle.reader.getMany(space, slot, keys, undefined)
    if (this.#overlayOf(slot) === undefined) return found
    for (let i = 0; i < keys.length; i++) {
      const encoded = space.readableKey(keys[i] as K)
      const own = encoded === undefined ? undefined : this.#own(slot, encoded)
      if (own !== undefined) found[i] = this.#writes.isPut(own) ? ownValue(space, this.#writes, own, this.handle.environment) : undefined
    }
    return found
  }

  current(): RangeSource {
    return this
  }

  openCursor<K, V>(space: KeySpace<K, V>, bounds: KeyBounds, keysOnly: boolean): Cursor<K, V> {
    const { environment, reader } = this.handle
    const slot = this.handle.slotOf(space)
    this.takeGate()
    const own = this.#overlayOf(slot)?.between(slot, bounds) ?? []
    const leases = (this.#leases ??= new Set())
    const limit = own.length === 0 ? bounds.limit : Infinity
    const committed = new NativeCursor({ environment, reader: reader.id, slot, leases }, space, bounds, limit, keysOnly)
    return own.length === 0 ? committed : new MergedCursor(committed, own, this.#writes, space, bounds, environment)
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
    const encodedKey = space.key(key)
    const encoded = space.values.encode(value)
    this.check() // a codec may have run anything
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
    return this.#allOrNone(() => this.#each(space, bounds, (key) => {
      this.#writes.delete(slot, Buffer.from(key, 'latin1'), this.handle.limits)
    }))
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
    if (events.length === 0) return undefined
    this.takeGate()
    const first = this.#firstEventId + this.#writes.events
    this.#allOrNone(() => {
      for (const event of events) {
        const encoded = this.handle.events.encode(event)
        this.check()
        this.#writes.event(encoded, this.handle.limits)
      }
    })
    return { first, last: this.#firstEventId + this.#writes.events - 1 }
  }

  /** Applies what was written. Whatever comes of it, the transaction is over. */
  commit(): CommitInfo {
    this.#finish()
    try {
      return commitWrites(this.handle, this.#writes, this.#hasGate)
    } finally {
      this.#giveBack()
    }
  }

  /** The same with what its function returned. */
  commitWith<T>(result: T): Commit<T> {
    this.#finish()
    try {
      return commitWith(this.handle, this.#writes, this.#hasGate, result)
    } finally {
      this.#giveBack()
    }
  }

  /** @throws what doomed it, or `ERR_TRANSACTION_FINISHED` */
  #finish(): void {
    if (this.#doom !== undefined) this.abort()
    this.check()
    this.#end()
  }

  /** Ends it without a trace; harmless after its end. */
  abort(): void {
    if (this.#isOver) return
    this.#end()
    if (this.#hasGate) this.handle.environment.hot.abort(this.handle.id)
    this.#giveBack()
  }

  /** From here on nobody else writes. @throws `ERR_BUSY`, `ERR_PAUSED`, `ERR_BACKPRESSURE` and what forbids writing */
  takeGate(): void {
    if (this.#hasGate) return
    const next = this.handle.environment.hot.begin(this.handle.id, this.#stalls ? 1 : 0)
    if (next < 0) {
      const error = this.handle.shared.writeError()
      // Whatever its function makes of this: it runs again when the pause has ended.
      if (error.code === 'ERR_PAUSED') this.doom(error)
      throw error
    }
    this.#hasGate = true
    this.#firstEventId = next
  }

  /** Where the transaction's own last record of a key is. */
  #own(slot: number, key: string | Uint8Array): number | undefined {
    return this.#overlayOf(slot)?.find(slot, bytesOf(key))
  }

  #isThere(slot: number, key: string | Uint8Array): boolean {
    this.takeGate()
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
      if (!this.#isOver) {
        this.#writes.rewind(length, events)
        this.#overlay = undefined // it may have taken in some of them
      }
      throw error
    }
  }

  #end(): void {
    this.#isOver = true
    this.handle.shared.closeTransaction(this)
    if (this.#leases !== undefined) for (const lease of this.#leases) lease.close()
  }

  #giveBack(): void {
    this.#overlay = undefined
    this.handle.environment.giveWriteSet(this.#writes)
  }
}
