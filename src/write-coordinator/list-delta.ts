// A ready delta: all writes, in their order.
import { checkFunction, checkOptions } from '../internal/validate.ts'
import type { CoordinatorTypes } from './coordinator-types.ts'
import { checkedSize } from './map-delta.ts'
import { roughSize } from './rough-size.ts'

const OPTIONS: ReadonlySet<string> = new Set(['keep', 'sizeOf'])
/** What a place in a list takes beside its item. */
const PLACE_BYTES = 8

/**
 * The types of a coordinator with {@link listDelta}s of items, which are what is kept of the writes. `Snapshot` is left to be named.
 *
 * @example
 * ```ts
 * interface Lines extends ListDeltaTypes<{ at: number; text: string }> { Snapshot: JsonLinesSnapshot | undefined }
 * ```
 */
export interface ListDeltaTypes<W, Item = W> extends CoordinatorTypes {
  Context: undefined
  Write: W
  ApplyResult: undefined
  Frozen: readonly Item[]
  FrozenView: readonly Item[]
  DeltaView: readonly Item[]
}

/**
 * A {@link Delta} that is a list. Of no `T`, so that it fits any coordinator with these types.
 *
 * @example
 * ```ts
 * const delta: ListDelta<string, string> = listDelta<string>()()
 * ```
 */
export interface ListDelta<W, Item = W> {
  apply(write: W): undefined
  estimateSize(): number
  freeze(): { frozen: readonly Item[]; view: readonly Item[]; context: undefined }
  reader(): readonly Item[]
}

/** What a {@link listDelta} keeps, and how it measures. */
export interface ListDeltaOptions<W, Item = W> {
  /**
   * What is kept of a write: a copy of what its caller may change, what it looks like when it is stored. What it throws refuses the write. By default the write
   * itself.
   */
  keep?: ((write: W) => Item) | undefined
  /** The memory that an item takes, in bytes, from 0. By default a rough estimate. */
  sizeOf?: ((item: Item) => number) | undefined
}

/**
 * An `init` for deltas that keep all writes in their order. The n-th item of a frozen delta has the epoch `start + n`.
 *
 * @throws `ERR_INVALID_ARGUMENT`; a write is refused with it when `sizeOf` gives no size
 * @example
 * ```ts
 * interface Hits extends ListDeltaTypes<Request, { path: string; at: number }> { Snapshot: undefined }
 * const init = listDelta<Request, { path: string; at: number }>({ keep: ({ path }) => ({ path, at: Date.now() }) })
 * const coordinator = new WriteCoordinator<Hits>({ init, context: undefined, snapshot: undefined, flusher })
 * ```
 */
export function listDelta<W, Item = W>(options?: ListDeltaOptions<W, Item>): () => ListDelta<W, Item> {
  checkOptions(options, OPTIONS, 'options')
  const { keep = (write: W) => write as unknown as Item, sizeOf = roughSize } = options ?? {}
  checkFunction(keep, 'keep')
  checkFunction(sizeOf, 'sizeOf')
  return () => new KeptList(keep, sizeOf)
}

class KeptList<W, Item> implements ListDelta<W, Item> {
  readonly #keep: (write: W) => Item
  readonly #sizeOf: (item: Item) => number
  readonly #items: Item[] = []
  #bytes = 0

  constructor(keep: (write: W) => Item, sizeOf: (item: Item) => number) {
    this.#keep = keep
    this.#sizeOf = sizeOf
  }

  apply(write: W): undefined {
    const item = this.#keep(write)
    const bytes = checkedSize(this.#sizeOf(item))
    this.#items.push(item)
    this.#bytes += PLACE_BYTES + bytes
  }

  estimateSize(): number {
    return this.#bytes
  }

  freeze(): { frozen: readonly Item[]; view: readonly Item[]; context: undefined } {
    return { frozen: this.#items, view: this.#items, context: undefined }
  }

  reader(): readonly Item[] {
    return this.#items
  }
}
