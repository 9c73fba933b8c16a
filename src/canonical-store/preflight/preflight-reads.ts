// What one attempt of a preflight has read, all of it at one point in time, and whether that still holds when the transaction has the gate. As long as no
// commit comes, nothing is held for it: a read belongs to the point of the mark, if that is the same before and after it. When the mark has moved, a snapshot
// takes over, if everything read so far is the same in it. Values are compared, so a change that was undone is no change.
import { conflict } from '../../errors.ts'
import { owned } from '../../internal/bytes.ts'
import type { KeyBounds } from '../key-bounds.ts'
import type { KeySpace } from '../key-space.ts'
import type { Cursor } from '../reading/cursor.ts'
import { SnapshotHandle } from '../snapshot.ts'
import type { StoreHandle } from '../store-handle.ts'

type AnySpace = KeySpace<unknown, unknown>
interface PointRead {
  readonly slot: number
  readonly key: string | Uint8Array
  readonly value: string | undefined
}
interface RangeRead {
  readonly space: AnySpace
  readonly bounds: KeyBounds
}

/** The reads of one attempt. */
export class PreflightReads {
  readonly #handle: StoreHandle
  readonly #points = new Map<string, PointRead>()
  readonly #ranges: RangeRead[] = []
  /** The newest commit that the reads see, after the first one. */
  #seq = 0n
  #snapshot: SnapshotHandle | undefined
  #isStale = false

  constructor(handle: StoreHandle) {
    this.#handle = handle
  }

  get isEmpty(): boolean {
    return this.#points.size + this.#ranges.length === 0
  }

  /** Something that was read has changed since: no further read would belong to the same point. */
  get isStale(): boolean {
    return this.#isStale
  }

  /** The bytes of a value, one code unit each; `id` names the key, whose bytes are copied for the later comparison. @throws `ERR_CONFLICT` */
  get(id: string, slot: number, key: string | Uint8Array): string | undefined {
    const known = this.#points.get(id)
    if (known !== undefined) return known.value
    const value = this.#read(slot, key)
    this.#points.set(id, { slot, key: owned(key), value })
    return value
  }

  /** @throws `ERR_CONFLICT` */
  openCursor<K, V>(space: KeySpace<K, V>, bounds: KeyBounds, keysOnly: boolean): Cursor<K, V> {
    const snapshot = this.#takeSnapshot()
    this.#ranges.push({ space, bounds })
    return snapshot.openCursor(space, bounds, keysOnly)
  }

  /** @throws `ERR_CONFLICT` */
  count<K, V>(space: KeySpace<K, V>, bounds: KeyBounds): number {
    const snapshot = this.#takeSnapshot()
    this.#ranges.push({ space, bounds })
    return snapshot.count(space, bounds)
  }

  /** Whether everything that was read still holds. Called under the gate, so that it stays so. */
  stillHold(): boolean {
    if (this.#isStale) return false
    if (this.isEmpty || this.#handle.applied === this.#seq) return true
    for (const { slot, key, value } of this.#points.values()) if (this.#handle.reader.raw(slot, key) !== value) return false
    return this.#ranges.every((read) => this.#isSame(read))
  }

  /** Releases the snapshot, if there is one. */
  release(): void {
    this.#snapshot?.lease.close()
  }

  #read(slot: number, key: string | Uint8Array): string | undefined {
    if (this.#snapshot === undefined && !this.#isStale) {
      if (this.isEmpty) this.#seq = this.#handle.applied
      const value = this.#handle.reader.raw(slot, key)
      if (this.#handle.applied === this.#seq) return value
    }
    return this.#takeSnapshot().points.raw(slot, key)
  }

  #takeSnapshot(): SnapshotHandle {
    if (this.#isStale) throw conflict(1)
    if (this.#snapshot !== undefined) return this.#snapshot
    const snapshot = new SnapshotHandle(this.#handle)
    this.#snapshot = snapshot
    const seq = BigInt(snapshot.seq)
    if (seq !== this.#seq) {
      for (const { slot, key, value } of this.#points.values()) {
        if (snapshot.points.raw(slot, key) === value) continue
        this.#isStale = true
        throw conflict(1)
      }
    }
    this.#seq = seq
    return snapshot
  }

  #isSame({ space, bounds }: RangeRead): boolean {
    const snapshot = this.#takeSnapshot()
    const before = snapshot.openCursor(space, bounds, false)
    const now = this.#handle.openCursor(space, bounds, false)
    try {
      for (;;) {
        const isThere = before.advance()
        if (now.advance() !== isThere) return false
        if (!isThere) return true
        if (before.keyBytes() !== now.keyBytes() || before.valueBytes() !== now.valueBytes()) return false
      }
    } finally {
      before.close()
      now.close()
    }
  }
}
