// What one Node environment (the main thread or a worker) shares between all its stores: the native calls, the memory that values pass
// through, and the one callback that native code wakes it by.
import { binding, nativeError, type ColdCalls, type HotCalls } from '../binding.ts'
import { errorFromRecord, type LedgerstoneError } from '../errors.ts'
import { Turns } from '../internal/turns.ts'
import { CallMemory } from './call-memory.ts'
import { allocate, ScratchPages, Slab } from './pool.ts'
import { PackedKeys } from './reader.ts'
import type { SharedStore } from './shared-store.ts'
import { tellOfUnsettledEnd } from './unsettled-end.ts'
import { WriteSet } from './write-set.ts'

const SCRATCH_BYTES = 64 * 1024
const KEPT_WRITE_SETS = 4
/** Buffers that have grown beyond this are not kept. */
const KEPT_BYTES = 1024 * 1024

/** Somebody who has to see whether its locks were granted. */
interface LockWaiter { look(): void }

let current: Environment | undefined

/** One per thread, made by the first store that is opened. */
export class Environment {
  readonly cold: ColdCalls
  readonly hot: HotCalls
  /** What a hot read is told by, and tells. */
  readonly memory: CallMemory
  /** When the event loop has its turn: whatever settles asks. */
  readonly turns: Turns = new Turns()
  /** The open stores, by the key that all handles of a store share. */
  readonly stores: Map<number, SharedStore> = new Map()
  /** Who waits for locks. */
  readonly lockWaiters: Set<LockWaiter> = new Set()
  /** Values that users keep. */
  readonly slab: Slab = new Slab()
  /** Pages decoded on the spot. */
  readonly pages: ScratchPages = new ScratchPages()
  /** One value, decoded on the spot. */
  readonly scratch: Buffer = allocate(SCRATCH_BYTES)
  readonly scratchMemory: ArrayBuffer = this.scratch.buffer as ArrayBuffer
  readonly #writeSets: WriteSet[] = []
  #keys: PackedKeys | undefined

  constructor(cold: ColdCalls) {
    this.cold = cold
    this.hot = cold.hotCalls(() => this.#wake())
    this.memory = new CallMemory(cold)
    process.on('exit', () => {
      cold.handOver()
      tellOfUnsettledEnd(this.stores.values())
    })
  }

  /** @throws `ERR_NATIVE_MISSING`, `ERR_VERSION_MISMATCH` */
  static current(): Environment {
    return (current ??= new Environment(binding()))
  }

  /** The error that a hot call has left behind. */
  error(): LedgerstoneError {
    return errorFromRecord(this.cold.takeError())
  }

  /** Makes a cold call; what it throws is an error of this package. */
  call<T>(make: (cold: ColdCalls) => T): T {
    try {
      return make(this.cold)
    } catch (thrown) {
      throw nativeError(thrown)
    }
  }

  /** Makes a cold call that answers later; it rejects with an error of this package. */
  async callAsync<T>(make: (cold: ColdCalls) => Promise<T>): Promise<T> {
    try {
      return await make(this.cold)
    } catch (thrown) {
      await this.turns.pause() // it may have been thrown at once
      throw nativeError(thrown)
    }
  }

  /** For the keys of one `getMany`, to be given back. */
  takeKeys(): PackedKeys {
    const keys = this.#keys ?? new PackedKeys()
    this.#keys = undefined
    return keys
  }

  giveKeys(keys: PackedKeys): void {
    if (keys.buffer.length <= KEPT_BYTES) this.#keys = keys
  }

  /** An empty write set, to be given back. */
  takeWriteSet(): WriteSet {
    return this.#writeSets.pop() ?? new WriteSet()
  }

  giveWriteSet(set: WriteSet): void {
    if (set.buffer.length > KEPT_BYTES || this.#writeSets.length === KEPT_WRITE_SETS) return
    set.reset()
    this.#writeSets.push(set)
  }

  #wake(): void {
    for (const store of this.stores.values()) store.look()
    for (const waiter of this.lockWaiters) waiter.look()
  }
}
