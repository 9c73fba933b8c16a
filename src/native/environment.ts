// What one Node environment (the main thread or a worker) shares between all its stores: the native calls, the memory that values pass
// through, and the callback that it is woken by. Where the package's JavaScript is evaluated several times in a thread each copy has an environment
// of its own, and they share the native calls: see `ThreadHome`.
import { joinThread, nativeError, type ColdCalls, type HotCalls, type Thread } from './binding.ts'
import { errorFromRecord, type LedgerstoneError } from '../errors.ts'
import { Turns } from '../internal/turns.ts'
import { CallMemory } from './call-memory.ts'
import type { OpenTransaction } from '../canonical-store/writing/open-transaction.ts'
import { allocate, ScratchPages, Slab } from './pool.ts'
import { PackedKeys } from '../canonical-store/reading/point-reader.ts'
import type { SharedStore } from '../canonical-store/shared-store.ts'
import { tellOfUnsettledEnd } from '../canonical-store/watching/unsettled-end.ts'
import { WriteSet } from '../canonical-store/writing/write-set.ts'

const SCRATCH_BYTES = 64 * 1024
const KEPT_WRITE_SETS = 4
/** Buffers that have grown beyond this are not kept. */
const KEPT_BYTES = 1024 * 1024

/** Somebody who has to see whether its locks were granted. */
interface LockWaiter { look(): void }

/** What there is one of in a thread for each open store, however many copies of this package have it open. */
export interface ThreadStore {
  /** The transaction that runs on this thread, if one does. */
  open: OpenTransaction | undefined
  /** The store as each copy sees it. */
  readonly members: Set<SharedStore>
}

let current: Environment | undefined

/** One per thread and copy, made by the first store that is opened. */
export class Environment {
  readonly cold: ColdCalls
  readonly hot: HotCalls
  /** What a hot read is told by, and tells. */
  readonly memory: CallMemory
  /** When the event loop has its turn: whatever settles asks. */
  readonly turns: Turns = new Turns()
  /** Values that users keep. */
  readonly slab: Slab = new Slab()
  /** Pages decoded on the spot. */
  readonly pages: ScratchPages = new ScratchPages()
  /** One value, decoded on the spot. */
  readonly scratch: Buffer = allocate(SCRATCH_BYTES)
  readonly scratchMemory: ArrayBuffer = this.scratch.buffer as ArrayBuffer
  readonly #writeSets: WriteSet[] = []
  #keys: PackedKeys | undefined
  readonly #thread: Thread
  /** The open stores, by the key that all handles of a store share. */
  readonly #stores = new Map<number, SharedStore>()
  /** Who waits for locks. */
  readonly #lockWaiters = new Set<LockWaiter>()
  /** Known to the thread only while there is somebody to wake: a copy that has closed all can be collected. */
  readonly #wake = (): void => {
    for (const store of this.#stores.values()) store.look()
    for (const waiter of this.#lockWaiters) waiter.look()
  }
  readonly #end = (): void => tellOfUnsettledEnd(this.#stores.values())

  constructor(thread: Thread) {
    this.#thread = thread
    this.cold = thread.cold
    this.hot = thread.hot
    this.memory = new CallMemory(thread.cold)
  }

  /** @throws `ERR_NATIVE_MISSING`, `ERR_VERSION_MISMATCH` */
  static current(): Environment {
    return (current ??= new Environment(joinThread()))
  }

  /** A store that is open here. */
  store(key: number): SharedStore | undefined {
    return this.#stores.get(key)
  }

  /** From now on it is woken, and beside the other copies that have it open. */
  addStore(store: SharedStore): ThreadStore {
    const { home } = this.#thread
    this.#stores.set(store.key, store)
    home.wakes.add(this.#wake)
    home.ends.add(this.#end)
    const shared = (home.stores.get(store.key) as ThreadStore | undefined) ?? { open: undefined, members: new Set() }
    home.stores.set(store.key, shared)
    shared.members.add(store)
    return shared
  }

  removeStore(store: SharedStore): void {
    if (this.#stores.get(store.key) !== store) return
    this.#stores.delete(store.key)
    const { stores, ends } = this.#thread.home
    if (this.#stores.size === 0) ends.delete(this.#end)
    const shared = stores.get(store.key) as ThreadStore
    shared.members.delete(store)
    if (shared.members.size === 0) stores.delete(store.key)
    this.#settleWake()
  }

  addLockWaiter(waiter: LockWaiter): void {
    this.#lockWaiters.add(waiter)
    this.#thread.home.wakes.add(this.#wake)
  }

  removeLockWaiter(waiter: LockWaiter): void {
    this.#lockWaiters.delete(waiter)
    this.#settleWake()
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

  #settleWake(): void {
    if (this.#stores.size === 0 && this.#lockWaiters.size === 0) this.#thread.home.wakes.delete(this.#wake)
  }
}
