// What the ready flushers share: they store deltas that are lists of items, and encode the items as text.
import { errorOf } from '../errors.ts'
import { isWellFormed } from '../internal/bytes.ts'
import type { EpochRange } from './coordinator-types.ts'

/**
 * A {@link Flusher} that iterates over the items of a delta: those of {@link listDelta}, or the entries of {@link mapDelta}. `S` is its snapshot.
 *
 * @example
 * ```ts
 * const lines = jsonLines<string>('./lines')
 * const flusher: ItemsFlusher<string, JsonLinesSnapshot> = {
 *   flushDelta(items, epochs, options) {
 *     console.log(`storing the writes from ${epochs.start}`)
 *     return lines.flushDelta(items, epochs, options)
 *   },
 *   flushStorage(options) {
 *     return lines.flushStorage(options)
 *   },
 * }
 * ```
 */
export interface ItemsFlusher<Item, S> {
  /** Stores the items. See {@link Flusher.flushDelta}. */
  flushDelta(frozen: Iterable<Item>, epochs: EpochRange, options: { signal: AbortSignal }): Promise<S>
  /** Makes durable what is stored. See {@link Flusher.flushStorage}. */
  flushStorage(options: { signal: AbortSignal }): Promise<void>
}

/** The text that `encode` makes of an item. A delta with an item that has none cannot be stored: check items when they are written. @throws `ERR_CODEC` @internal */
export function encodedText<Item>(encode: (item: Item) => unknown, item: Item, what: string): string {
  let text: unknown
  try {
    text = encode(item)
  } catch (cause) {
    throw errorOf('ERR_CODEC', `${what} cannot be encoded`, { codec: 'json' }, cause)
  }
  if (typeof text !== 'string') throw errorOf('ERR_CODEC', `${what} cannot be encoded: the encoder gave no text`, { codec: 'json' })
  if (!isWellFormed(text)) throw errorOf('ERR_CODEC', `${what} cannot be encoded: the text has a lone surrogate`, { codec: 'json' })
  return text
}
