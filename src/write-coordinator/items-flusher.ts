// What the ready flushers have in common: they store deltas that are lists of items, and make text of them.
import { errorOf } from '../errors.ts'
import { isWellFormed } from '../internal/bytes.ts'
import type { EpochRange } from './coordinator-types.ts'

/**
 * A flusher of deltas that can be gone through item by item, as those of {@link listDelta} and, entry by entry, of {@link mapDelta}.
 *
 * @example
 * ```ts
 * interface Users extends MapDeltaTypes<string, User> { Snapshot: JsonLinesSnapshot | undefined }
 * const flusher: ItemsFlusher<readonly [string, User], JsonLinesSnapshot> = jsonLines('./users')
 * const coordinator = new WriteCoordinator<Users>({ init: mapDelta(), context: undefined, snapshot: undefined, flusher })
 * ```
 */
export interface ItemsFlusher<Item, S> {
  flushDelta(frozen: Iterable<Item>, epochs: EpochRange, options: { signal: AbortSignal }): Promise<S>
  flushStorage(options: { signal: AbortSignal }): Promise<void>
}

/** What `encode` gives. A delta that has an item without a text cannot be stored: check them when they are written. @throws `ERR_CODEC` */
export function encodedText<Item>(encode: (item: Item) => unknown, item: Item, what: string): string {
  let text: unknown
  try {
    text = encode(item)
  } catch (cause) {
    throw errorOf('ERR_CODEC', `${what} cannot be encoded`, { codec: 'json' }, cause)
  }
  if (typeof text !== 'string') throw errorOf('ERR_CODEC', `${what} cannot be encoded: the encoder gave no text`, { codec: 'json' })
  if (!isWellFormed(text)) throw errorOf('ERR_CODEC', `${what} cannot be encoded: its text has a lone surrogate`, { codec: 'json' })
  return text
}
