// A ready delta: all writes, in their order.
import { checkFunction, checkOptions } from '../internal/validate.ts'
import type { CoordinatorTypes } from './coordinator-types.ts'
import { checkedSize } from './map-delta.ts'
import { roughSize } from './rough-size.ts'

const OPTIONS: ReadonlySet<string> = new Set(['keep', 'sizeOf'])
/** What a place in a list takes besides its item. */
const PLACE_BYTES = 8

/**
 * The types of a coordinator with {@link listDelta}s. `Item` is what a delta keeps of a write. `Snapshot` depends on the flusher: name it.
 *
 * @example
 * ```ts
 * interface Visit { at: number; path: string }
 * interface Visits extends ListDeltaTypes<Visit> { Snapshot: JsonLinesSnapshot | undefined }
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
 * A {@link Delta} that is a list. It has no parameter for all types of a coordinator, and fits any that has these.
 *
 * @example
 * ```ts
 * const delta: ListDelta<string> = listDelta<string>()()
 * delta.apply('a')
 * console.log(delta.reader(), delta.estimateSize())
 * console.log(delta.freeze().frozen)
 * ```
 */
export interface ListDelta<W, Item = W> {
  /** Keeps the write as the last one. @throws what `keep` and `sizeOf` throw */
  apply(write: W): undefined
  /** In bytes: the sum of the sizes of the items. */
  estimateSize(): number
  /** The items, oldest first. */
  freeze(): { frozen: readonly Item[]; view: readonly Item[]; context: undefined }
  /** The items, oldest first. */
  reader(): readonly Item[]
}

/** What a {@link listDelta} keeps, and how it measures. */
export interface ListDeltaOptions<W, Item = W> {
  /** What is kept of a write, for example a copy, or its encoding. A write for which it throws is refused. @default the write itself */
  keep?: ((write: W) => Item) | undefined
  /** The memory that an item takes, in bytes, from 0. @default a rough estimate */
  sizeOf?: ((item: Item) => number) | undefined
}

/**
 * An `init` for deltas that keep all writes in their order. The item at index n of a frozen delta has the epoch `start + n`.
 *
 * @throws `ERR_INVALID_ARGUMENT`; a write rejects with it when `sizeOf` returns no size
 * @example
 * ```ts
 * import type { IncomingMessage } from 'node:http'
 *
 * interface Hits extends ListDeltaTypes<IncomingMessage, string> { Snapshot: JsonLinesSnapshot | undefined }
 *
 * const init = listDelta<IncomingMessage, string>({ keep: ({ method, url }) => `${method} ${url}` })
 * const coordinator = new WriteCoordinator<Hits>({ init, context: undefined, snapshot: undefined, flusher: jsonLines<string>('./hits') })
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
