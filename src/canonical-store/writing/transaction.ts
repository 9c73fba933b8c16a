// The transaction as users hold it. Checks the arguments and passes the calls on to `OpenTransaction`.
import { invalidArgument } from '../../errors.ts'
import type { EventId } from '../../event-log/log-types.ts'
import type { Collection, KeyRange, Range } from '../api/collection.ts'
import type { WriteHandle } from '../api/commit.ts'
import type { Transaction, WriteTxn } from '../api/transaction.ts'
import { spaceOf } from '../collection.ts'
import { KeyBounds, RANGE_OPTIONS, SPAN_OPTIONS } from '../key-bounds.ts'
import { EmbeddedRange } from '../reading/range.ts'
import type { OpenTransaction } from './open-transaction.ts'

/** The argument of the functions of `apply` and `transact`. */
export class EmbeddedTransaction<E> implements Transaction<E> {
  readonly #open: OpenTransaction

  constructor(open: OpenTransaction) {
    this.#open = open
  }

  get<K, V>(from: Collection<K, V, never>, key: NoInfer<K>): V | undefined {
    return this.#open.get(spaceOf(from), key)
  }

  getMany<K, V>(from: Collection<K, V, never>, keys: readonly NoInfer<K>[]): (V | undefined)[] {
    return this.#open.getMany(spaceOf(from), keys)
  }

  has<K, V>(from: Collection<K, V, never>, key: NoInfer<K>): boolean {
    return this.#open.has(spaceOf(from), key)
  }

  range<K, V>(from: Collection<K, V, never>, range?: KeyRange<NoInfer<K>>): Range<K, V> {
    const space = spaceOf(from)
    this.#open.check()
    this.#open.handle.slotOf(space)
    return new EmbeddedRange(this.#open, space, KeyBounds.of(space, range, RANGE_OPTIONS))
  }

  put<K, V, In>(into: Collection<K, V, In>, key: NoInfer<K>, value: NoInfer<In>): void {
    this.#open.put(spaceOf(into), key, value)
  }

  delete<K, V>(from: Collection<K, V, never>, key: NoInfer<K>): boolean {
    return this.#open.delete(spaceOf(from), key)
  }

  deleteRange<K, V>(from: Collection<K, V, never>, range: Omit<KeyRange<NoInfer<K>>, 'reverse' | 'limit'>): number {
    const space = spaceOf(from)
    if (range === undefined) throw invalidArgument('range', 'a range is needed; {} is everything')
    return this.#open.deleteRange(space, KeyBounds.of(space, range as KeyRange<K>, SPAN_OPTIONS))
  }

  append(event: E): EventId {
    return this.#open.append(event)
  }

  appendAll(events: readonly E[]): { first: EventId; last: EventId } | undefined {
    if (!Array.isArray(events)) throw invalidArgument('events', 'an array of events is needed')
    return this.#open.appendAll(events)
  }
}

/** The explicit form. It ends when it is committed or aborted, or with the next microtask: {@link OpenTransaction.abandon}. */
export class EmbeddedWriteTxn<E> extends EmbeddedTransaction<E> implements WriteTxn<E> {
  readonly #open: OpenTransaction
  readonly #commit: () => WriteHandle<void>

  constructor(open: OpenTransaction, commit: () => WriteHandle<void>) {
    super(open)
    this.#open = open
    this.#commit = commit
  }

  commit(): WriteHandle<void> {
    return this.#commit()
  }

  abort(): void {
    this.#open.abort()
  }

  [Symbol.dispose](): void {
    this.#open.abort()
  }
}
