// A ready delta: the last write of each key.
import { invalidArgument } from '../errors.ts'
import { checkFunction, checkOptions } from '../internal/validate.ts'
import type { CoordinatorTypes } from './coordinator-types.ts'
import { roughSize } from './rough-size.ts'

const OPTIONS: ReadonlySet<string> = new Set(['sizeOf'])

/** A write of a {@link mapDelta}. */
export interface MapWrite<K, V> {
  readonly key: K
  /** To delete a key, write a value that means it, such as `undefined`. */
  readonly value: V
}

/**
 * The types of a coordinator with {@link mapDelta}s. `Snapshot` depends on the flusher: name it.
 *
 * @example
 * ```ts
 * interface User { name: string }
 * interface Users extends MapDeltaTypes<string, User | undefined> { Snapshot: HttpSnapshot | undefined } // undefined: deleted
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
 * A {@link Delta} that is a map. It has no parameter for all types of a coordinator, and fits any that has these.
 *
 * @example
 * ```ts
 * const delta: MapDelta<string, number> = mapDelta<string, number>()()
 * delta.apply({ key: 'a', value: 1 })
 * console.log(delta.reader().get('a'), delta.estimateSize())
 * console.log([...delta.freeze().frozen])
 * ```
 */
export interface MapDelta<K, V> {
  /** Keeps the value as that of its key. @throws what `sizeOf` throws */
  apply(write: MapWrite<K, V>): undefined
  /** In bytes: for each key the largest size that its entry has had. */
  estimateSize(): number
  /** The last value of each key, in the order in which the keys came. */
  freeze(): { frozen: ReadonlyMap<K, V>; view: ReadonlyMap<K, V>; context: undefined }
  /** The last value of each key. */
  reader(): ReadonlyMap<K, V>
}

/** How a {@link mapDelta} measures. */
export interface MapDeltaOptions<K, V> {
  /** The memory that an entry takes, in bytes, from 0. @default a rough estimate */
  sizeOf?: ((key: K, value: V) => number) | undefined
}

/**
 * An `init` for deltas that keep the last write of each key in a `Map`, which also decides which keys are equal. The entries of a frozen delta are in the order in
 * which the keys came. Values are kept as they are, without a copy.
 *
 * @throws `ERR_INVALID_ARGUMENT`; a write rejects with it when `sizeOf` returns no size
 * @example
 * ```ts
 * interface User { name: string }
 * interface Users extends MapDeltaTypes<string, User> { Snapshot: JsonLinesSnapshot | undefined }
 *
 * const flusher = jsonLines<readonly [id: string, user: User]>('./users')
 * const coordinator = new WriteCoordinator<Users>({ init: mapDelta(), context: undefined, snapshot: undefined, flusher })
 * await coordinator.write({ key: 'u1', value: { name: 'Ada' } })
 * console.log(coordinator.view().current.get('u1'))
 * await coordinator.close()
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

/** @throws `ERR_INVALID_ARGUMENT` @internal */
export function checkedSize(bytes: unknown): number {
  if (typeof bytes === 'number' && bytes >= 0 && bytes < Infinity) return bytes
  throw invalidArgument('sizeOf', 'a number of bytes from 0 on is needed')
}
