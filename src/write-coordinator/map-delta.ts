// A ready delta: the last write of each key.
import { invalidArgument } from '../errors.ts'
import { checkFunction, checkOptions } from '../internal/validate.ts'
import type { CoordinatorTypes } from './coordinator-types.ts'
import { roughSize } from './rough-size.ts'

const OPTIONS: ReadonlySet<string> = new Set(['sizeOf'])

/** A write into a {@link mapDelta}. */
export interface MapWrite<K, V> {
  readonly key: K
  readonly value: V
}

/**
 * The types of a coordinator with {@link mapDelta}s. `Snapshot` is left to be named.
 *
 * @example
 * ```ts
 * interface Users extends MapDeltaTypes<string, User | undefined> { Snapshot: number } // undefined: deleted
 * ```
 */
export interface MapDeltaTypes<K, V> extends CoordinatorTypes {
  Context: undefined
  Write: MapWrite<K, V>
  ApplyResult: undefined
  Frozen: ReadonlyMap<K, V>
  FrozenView: ReadonlyMap<K, V>
  DeltaView: ReadonlyMap<K, V>
}

/**
 * A {@link Delta} that is a map. Of no `T`, so that it fits any coordinator with these types.
 *
 * @example
 * ```ts
 * const delta: MapDelta<string, number> = mapDelta<string, number>()()
 * ```
 */
export interface MapDelta<K, V> {
  apply(write: MapWrite<K, V>): undefined
  estimateSize(): number
  freeze(): { frozen: ReadonlyMap<K, V>; view: ReadonlyMap<K, V>; context: undefined }
  reader(): ReadonlyMap<K, V>
}

/** How a {@link mapDelta} measures. */
export interface MapDeltaOptions<K, V> {
  /** The memory that an entry takes, in bytes, from 0. By default a rough estimate. */
  sizeOf?: ((key: K, value: V) => number) | undefined
}

/**
 * An `init` for deltas that keep the last write of each key, as a `Map` does: keys are equal as its keys are. Frozen deltas are maps in the order in which their keys
 * came. Values are kept as they are given.
 *
 * @throws `ERR_INVALID_ARGUMENT`; a write is refused with it when `sizeOf` gives no size
 * @example
 * ```ts
 * interface Users extends MapDeltaTypes<string, { name: string }> { Snapshot: number }
 * const coordinator = new WriteCoordinator<Users>({ init: mapDelta(), context: undefined, snapshot: 0, flusher })
 * await coordinator.write({ key: 'u1', value: { name: 'Ada' } })
 * ```
 */
export function mapDelta<K, V>(options?: MapDeltaOptions<K, V>): () => MapDelta<K, V> {
  checkOptions(options, OPTIONS, 'options')
  const { sizeOf = (key: K, value: V) => roughSize(key) + roughSize(value) } = options ?? {}
  checkFunction(sizeOf, 'sizeOf')
  return () => new KeptMap(sizeOf)
}

class KeptMap<K, V> implements MapDelta<K, V> {
  readonly #sizeOf: (key: K, value: V) => number
  readonly #entries = new Map<K, V>()
  readonly #sizes = new Map<K, number>()
  #bytes = 0

  constructor(sizeOf: (key: K, value: V) => number) {
    this.#sizeOf = sizeOf
  }

  apply(write: MapWrite<K, V>): undefined {
    if (typeof write !== 'object' || write === null) throw invalidArgument('write', 'an object with `key` and `value` is needed')
    const { key, value } = write
    const bytes = checkedSize(this.#sizeOf(key, value))
    const known = this.#sizes.get(key) ?? 0
    this.#entries.set(key, value)
    if (bytes <= known) return
    this.#sizes.set(key, bytes)
    this.#bytes += bytes - known
  }

  estimateSize(): number {
    return this.#bytes
  }

  freeze(): { frozen: ReadonlyMap<K, V>; view: ReadonlyMap<K, V>; context: undefined } {
    this.#sizes.clear()
    return { frozen: this.#entries, view: this.#entries, context: undefined }
  }

  reader(): ReadonlyMap<K, V> {
    return this.#entries
  }
}

/** @throws `ERR_INVALID_ARGUMENT` */
export function checkedSize(bytes: unknown): number {
  if (typeof bytes === 'number' && bytes >= 0 && bytes < Infinity) return bytes
  throw invalidArgument('sizeOf', 'a number of bytes from 0 on is needed')
}
