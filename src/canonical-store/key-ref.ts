// A key of a collection that is named without being read: for locks, and for the keys that a preflight declares. The name of its lock is the same for all
// handles and threads that have the store open: the store's number in this process, the collection's name, the key.
import { brand } from '../internal/brand.ts'
import { isBytes, lengthOf, owned, writeBytes, writeUtf8 } from '../internal/bytes.ts'
import { LockName } from '../lock-manager/lock-name.ts'
import type { KeyRef } from '../lock-manager/locks.ts'
import type { KeyRange } from './api/collection.ts'
import type { KeyBounds } from './key-bounds.ts'
import type { KeySpace } from './key-space.ts'

/** The result of `collection.key()`; opaque to users. */
export class EmbeddedKeyRef<K = unknown, V = unknown> extends LockName {
  readonly space: KeySpace<K, V>
  /** The key's bytes, which may be no valid key. */
  readonly key: string | Uint8Array

  constructor(space: KeySpace<K, V>, key: string | Uint8Array) {
    super()
    this.space = space
    this.key = owned(key)
  }

  static of<K, V>(space: KeySpace<K, V>, key: string | Uint8Array): KeyRef {
    return new EmbeddedKeyRef(space, key) as unknown as KeyRef
  }

  get storeKey(): number {
    return this.space.owner.storeKey
  }

  get maxNameBytes(): number {
    return this.space.lockPrefix.length + lengthOf(this.key) * 3
  }

  writeName(to: Buffer, offset: number): number {
    const { lockPrefix } = this.space
    to.set(lockPrefix, offset)
    const at = offset + lockPrefix.length
    if (typeof this.key === 'string') return lockPrefix.length + writeUtf8(to, this.key, at)
    return lockPrefix.length + writeBytes(to, this.key, at, lengthOf(this.key))
  }
}
brand(EmbeddedKeyRef, 'EmbeddedKeyRef')

/** The result of `collection.keys()`; opaque to users. It names no lock. */
export class EmbeddedKeySpan<K = unknown, V = unknown> {
  readonly space: KeySpace<K, V>
  readonly bounds: KeyBounds
  /** As the user passed it. */
  readonly range: KeyRange<K>

  constructor(space: KeySpace<K, V>, bounds: KeyBounds, range: KeyRange<K>) {
    this.space = space
    this.bounds = bounds
    this.range = Object.fromEntries(Object.entries(range).map(([name, value]) => [name, isBytes(value) ? owned(value) : value]))
  }

  static of<K, V>(space: KeySpace<K, V>, bounds: KeyBounds, range: KeyRange<K>): KeyRef {
    return new EmbeddedKeySpan(space, bounds, range) as unknown as KeyRef
  }
}
brand(EmbeddedKeySpan, 'EmbeddedKeySpan')
