// What a preflight works with during one attempt: reads of declared keys, a signal, and `reject`.
import { errorOf, invalidArgument, type LedgerstoneError } from '../../errors.ts'
import { type Context, currentContext } from '../../internal/context.ts'
import { AbortController } from '../../internal/platform.ts'
import type { Collection, KeyRange, Range } from '../api/collection.ts'
import type { PreflightContext } from '../api/phases.ts'
import { spaceOf } from '../collection.ts'
import { KeyBounds, RANGE_OPTIONS } from '../key-bounds.ts'
import type { KeySpace } from '../key-space.ts'
import type { Cursor } from '../reading/cursor.ts'
import { EmbeddedRange, type RangeSource } from '../reading/range.ts'
import type { StoreHandle } from '../store-handle.ts'
import type { DeclaredKeys } from './declared-keys.ts'
import type { PreflightReads } from './preflight-reads.ts'

/** One run of a preflight. */
export class Attempt implements RangeSource {
  readonly handle: StoreHandle
  readonly declared: DeclaredKeys
  readonly reads: PreflightReads
  /** The error that it was rejected with. */
  rejection: LedgerstoneError | undefined
  #controller: AbortController | undefined
  /** The async context of the preflight, for listeners of its signal: another caller may abort the signal, or close the store. */
  #context: Context | undefined
  #isOver = false
  /** Why it ended before the preflight did. */
  #reason: { readonly why: unknown } | undefined

  constructor(handle: StoreHandle, declared: DeclaredKeys, reads: PreflightReads) {
    this.handle = handle
    this.declared = declared
    this.reads = reads
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      this.#context = currentContext()
      if (this.#reason !== undefined) this.#controller.abort(this.#reason.why)
    }
    return this.#controller.signal
  }

  /** @throws `ERR_CLOSED`, `ERR_TRANSACTION_FINISHED` */
  check(): void {
    this.handle.check()
    if (this.#isOver) throw errorOf('ERR_TRANSACTION_FINISHED', 'the preflight has ended')
  }

  /** Ends reading. */
  end(): void {
    this.#isOver = true
    this.reads.release()
  }

  /** Its result is no longer wanted. */
  abort(why: unknown): void {
    this.#isOver = true
    this.#reason = { why }
    this.#context?.(() => this.#controller?.abort(why))
  }

  current(): this {
    return this
  }

  openCursor<K, V>(space: KeySpace<K, V>, bounds: KeyBounds, keysOnly: boolean): Cursor<K, V> {
    return this.reads.openCursor(space, bounds, keysOnly)
  }

  count<K, V>(space: KeySpace<K, V>, bounds: KeyBounds): number {
    return this.reads.count(space, bounds)
  }

  /** The bytes of a value, one code unit each. */
  raw<K, V>(space: KeySpace<K, V>, key: K): string | undefined {
    this.check()
    const slot = this.handle.slotOf(space)
    const encoded = space.key(key)
    this.check()
    const id = this.declared.check(space, slot, encoded)
    const readable = space.readable(encoded)
    return readable === undefined ? undefined : this.reads.get(id, slot, readable)
  }
}

/** The argument of a preflight. */
export class EmbeddedPreflightContext implements PreflightContext {
  readonly #attempt: Attempt

  constructor(attempt: Attempt) {
    this.#attempt = attempt
  }

  get signal(): AbortSignal {
    return this.#attempt.signal
  }

  get<K, V>(from: Collection<K, V, never>, key: NoInfer<K>): V | undefined {
    const space = spaceOf(from)
    const raw = this.#attempt.raw(space, key)
    return raw === undefined ? undefined : space.values.fromRaw(raw)
  }

  getMany<K, V>(from: Collection<K, V, never>, keys: readonly NoInfer<K>[]): (V | undefined)[] {
    if (!Array.isArray(keys)) throw invalidArgument('keys', 'an array of keys is needed')
    return Array.from(keys as readonly K[], (key) => this.get<K, V>(from, key))
  }

  has<K, V>(from: Collection<K, V, never>, key: NoInfer<K>): boolean {
    return this.#attempt.raw(spaceOf(from), key) !== undefined
  }

  range<K, V>(from: Collection<K, V, never>, range?: KeyRange<NoInfer<K>>): Range<K, V> {
    const space = spaceOf(from)
    const attempt = this.#attempt
    attempt.check()
    const slot = attempt.handle.slotOf(space)
    const bounds = KeyBounds.of(space, range, RANGE_OPTIONS)
    attempt.declared.checkRange(space, slot, bounds)
    return new EmbeddedRange(attempt, space, bounds)
  }

  reject(...errors: [string, ...string[]]): never {
    const attempt = this.#attempt
    attempt.check()
    if (errors.length === 0 || !errors.every((error) => typeof error === 'string')) throw invalidArgument('errors', 'one or more strings are needed')
    const rejection = errorOf('ERR_PREFLIGHT_REJECTED', `the preflight has rejected the transaction: ${errors.join('; ')}`, { errors: [...errors] })
    attempt.rejection ??= rejection
    throw attempt.rejection
  }
}
