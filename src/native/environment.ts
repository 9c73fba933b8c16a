// What one Node environment (the main thread or a worker) shares between all its stores: the native calls, the memory that values pass through, and the callback that
// native code wakes it by. Where the package's JavaScript is evaluated several times in a thread, each copy has its own environment, and they share the native
// calls: see `ThreadHome`.
import { errorFromRecord, type LedgerstoneError } from '../errors.ts'
import { Turns } from '../internal/turns.ts'
import { joinThread, nativeError, type ColdCalls, type HotCalls, type Thread } from './binding.ts'
import { CallMemory } from './call-memory.ts'
import { allocate, Slab } from './pool.ts'
import { ScratchPages } from './scratch-pages.ts'

const SCRATCH_BYTES = 64 * 1024

/** Looks for its news when native code wakes: a store for its marks, a client of locks for its grants. */
export interface Listener {
  look(): void
}

/** A store that is open here, as the environment knows it. */
export interface OpenStore extends Listener {
  /** The same for all handles of a store. */
  readonly key: number
  /** Called when the thread ends while the store is open. */
  tellOfEnd(): void
}

/** What exists once in a thread for each open store, however many copies of this package have it open. */
export interface ThreadStore<S extends OpenStore = OpenStore> {
  /** The transaction that runs on this thread, if one does. */
  open: object | undefined
  /** The store as each copy sees it. */
  readonly members: Set<S>
}

let current: Environment | undefined

/** One per thread and copy, made by the first store that is opened. */
export class Environment {
  readonly cold: ColdCalls
  readonly hot: HotCalls
  /** Arguments and answers of hot reads. */
  readonly memory: CallMemory
  /** The turns of the event loop: everything that settles asks. */
  readonly turns: Turns = new Turns()
  /** Values that users keep. */
  readonly slab: Slab = new Slab()
  /** Pages that are decoded at once. */
  readonly pages: ScratchPages = new ScratchPages()
  /** One value that is decoded at once. */
  readonly scratch: Buffer = allocate(SCRATCH_BYTES)
  readonly scratchMemory: ArrayBuffer = this.scratch.buffer as ArrayBuffer
  readonly #thread: Thread
  readonly #stores = new Map<number, OpenStore>()
  readonly #listeners = new Set<Listener>()
  /** The thread knows it only while there is something to wake: a copy that has closed everything can be collected. */
  readonly #wake = (): void => {
    for (const listener of this.#listeners) listener.look()
  }
  readonly #end = (): void => {
    for (const store of this.#stores.values()) store.tellOfEnd()
  }

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
  store(key: number): OpenStore | undefined {
    return this.#stores.get(key)
  }

  /** From now on it is woken, and joins the copies that have the same store open. */
  addStore<S extends OpenStore>(store: S): ThreadStore<S> {
    const { stores, ends } = this.#thread.home
    this.#stores.set(store.key, store)
    this.addListener(store)
    ends.add(this.#end)
    const shared = (stores.get(store.key) as ThreadStore<S> | undefined) ?? { open: undefined, members: new Set<S>() }
    stores.set(store.key, shared)
    shared.members.add(store)
    return shared
  }

  removeStore(store: OpenStore): void {
    if (this.#stores.get(store.key) !== store) return
    this.#stores.delete(store.key)
    const { stores, ends } = this.#thread.home
    if (this.#stores.size === 0) ends.delete(this.#end)
    const shared = stores.get(store.key) as ThreadStore
    shared.members.delete(store)
    if (shared.members.size === 0) stores.delete(store.key)
    this.removeListener(store)
  }

  /** It is woken until it is removed. */
  addListener(listener: Listener): void {
    this.#listeners.add(listener)
    this.#thread.home.wakes.add(this.#wake)
  }

  removeListener(listener: Listener): void {
    this.#listeners.delete(listener)
    if (this.#listeners.size === 0) this.#thread.home.wakes.delete(this.#wake)
  }

  /** The error of the last hot call. */
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
      await this.turns.pause() // the error may have been thrown at once
      throw nativeError(thrown)
    }
  }
}
