// The declared keys of one attempt of a preflight: which keys are locked, and which reads are allowed. A copy: later changes of the caller's arrays have no effect.
import { errorOf, invalidArgument, type LedgerstoneError } from '../../errors.ts'
import { isThenable, leaveUnheard } from '../../internal/thenable.ts'
import type { KeyRef } from '../../lock-manager/locks.ts'
import type { DeclaredKey } from '../api/phases.ts'
import { bytesOf, type KeyBounds } from '../key-bounds.ts'
import { EmbeddedKeyRef, EmbeddedKeySpan } from '../key-ref.ts'
import type { KeySpace } from '../key-space.ts'
import type { StoreHandle } from '../store-handle.ts'

type AnySpace = KeySpace<unknown, unknown>
const MAX_SHOWN = 32

/** The keys of one attempt. */
export class DeclaredKeys {
  readonly locks: { readonly read: KeyRef[]; readonly write: KeyRef[] } = { read: [], write: [] }
  readonly readKeys: DeclaredKey[] = []
  readonly writeKeys: DeclaredKey[] = []
  readonly #handle: StoreHandle
  readonly #points = new Set<string>()
  readonly #spans: { readonly slot: number; readonly bounds: KeyBounds }[] = []

  /** @throws `ERR_INVALID_ARGUMENT` for anything but a set of keys of this store */
  constructor(handle: StoreHandle, keys: unknown) {
    this.#handle = handle
    leaveUnheard(keys)
    if (typeof keys !== 'object' || keys === null || Array.isArray(keys) || isThenable(keys))
      throw invalidArgument('keys', 'an object with `read` and `write` is needed, or a function that returns one')
    for (const name of Object.keys(keys)) if (name !== 'read' && name !== 'write') throw invalidArgument(`keys.${name}`, 'unknown option')
    const { read, write } = keys as { read?: unknown; write?: unknown }
    if (read !== undefined) this.#addAll(read, 'keys.read', this.locks.read, this.readKeys)
    if (write !== undefined) this.#addAll(write, 'keys.write', this.locks.write, this.writeKeys)
  }

  get needsLocks(): boolean {
    return this.locks.read.length + this.locks.write.length > 0
  }

  /** The name of a declared key within this store. @throws `ERR_UNDECLARED_KEY` */
  check(space: AnySpace, slot: number, key: string | Uint8Array): string {
    const bytes = bytesOf(key)
    const id = `${slot}:${bytes}`
    if (this.#points.has(id) || this.#spans.some((span) => span.slot === slot && span.bounds.includes(bytes))) return id
    throw undeclared(`a preflight has read a key that it had not declared: collection=${JSON.stringify(space.name)} key=${shown(space, key)}`, space, key)
  }

  /** @throws `ERR_UNDECLARED_KEY` when no single declared span contains the whole range */
  checkRange(space: AnySpace, slot: number, bounds: KeyBounds): void {
    if (this.#spans.some((span) => span.slot === slot && span.bounds.covers(bounds))) return
    throw undeclared(`a preflight has read a range that is in no span it had declared: collection=${JSON.stringify(space.name)}`, space, undefined)
  }

  #addAll(refs: unknown, argument: string, locks: KeyRef[], declared: DeclaredKey[]): void {
    if (!Array.isArray(refs)) throw invalidArgument(argument, 'an array of keys is needed')
    for (const ref of refs as readonly unknown[]) {
      if (!(ref instanceof EmbeddedKeyRef || ref instanceof EmbeddedKeySpan)) throw invalidArgument(argument, 'a key is what `collection.key()` gives')
      const { space } = ref
      if (space.owner.storeKey !== this.#handle.storeKey) throw invalidArgument(argument, 'the key belongs to another store')
      const slot = this.#handle.slotOf(space)
      if (ref instanceof EmbeddedKeySpan) {
        if (locks === this.locks.write) throw invalidArgument(argument, 'a span of keys can be declared for reading only')
        this.#spans.push({ slot, bounds: ref.bounds })
        declared.push({ collection: space.name, range: ref.range })
      } else {
        locks.push(ref as unknown as KeyRef)
        this.#points.add(`${slot}:${bytesOf(ref.key)}`)
        declared.push({ collection: space.name, key: space.keyOf(ref.key) })
      }
    }
  }
}

function undeclared(message: string, space: AnySpace, key: string | Uint8Array | undefined): LedgerstoneError {
  return errorOf('ERR_UNDECLARED_KEY', message, { collection: space.name, ...(key === undefined ? {} : { key: space.keyOf(key) }) })
}

/** A key for messages: text and tuples as JSON, others in hex; a long one is cut. */
function shown(space: AnySpace, key: string | Uint8Array): string {
  if (space.keysAreText) return JSON.stringify(cut(String(space.keyOf(key))))
  return cut(space.keyName === 'tuple' ? JSON.stringify(space.keyOf(key)) : Buffer.from(bytesOf(key), 'latin1').toString('hex'))
}

function cut(text: string): string {
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`
}
