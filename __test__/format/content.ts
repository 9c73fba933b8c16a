// Everything that can be read from a store of the fixtures, as JSON: what is committed beside each fixture, and what it must give when it is opened.
import { binary, type CanonicalStore, type Collection, type Json, utf8 } from '../../src/index.ts'

export interface Content {
  readonly storeId: string
  readonly formatVersion: number
  readonly createdAt: number
  readonly updatedAt: number
  readonly sealedEventId: number | null
  readonly seq: number
  readonly oldestEventId: number
  readonly nextEventId: number
  /** Of each collection its entries in order, keys and values in base64 where they are bytes. */
  readonly collections: Readonly<Record<string, readonly (readonly [key: string, value: Json])[]>>
  readonly events: readonly { readonly id: number; readonly timestamp: number; readonly event: Json }[]
}

/** The collections of the fixtures beside `state`. */
export interface Collections {
  readonly text: Collection<string, string>
  readonly bytes: Collection<Uint8Array, Buffer, Uint8Array>
  readonly later: Collection<string, Json>
  readonly gone: Collection<string, Json>
}

export function collectionsOf(store: CanonicalStore): Collections {
  return {
    text: store.collection('text', { value: utf8() }),
    bytes: store.collection('bytes', { key: binary(), value: binary() }),
    later: store.collection('later'),
    gone: store.collection('gone'),
  }
}

export function contentOf(store: CanonicalStore): Content {
  const { storeId, formatVersion, createdAt, updatedAt, sealedEventId, nextEventId } = store.meta()
  const { text, bytes } = collectionsOf(store)
  const collections: Record<string, (readonly [string, Json])[]> = {}
  for (const name of store.collections()) {
    if (name === 'state') collections[name] = store.state.range().toArray()
    else if (name === 'text') collections[name] = text.range().toArray()
    else if (name === 'bytes')
      collections[name] = bytes
        .range()
        .toArray()
        .map(([key, value]) => [Buffer.from(key).toString('base64'), value.toString('base64')])
    else collections[name] = store.collection(name).range().toArray()
  }
  return {
    storeId,
    formatVersion,
    createdAt,
    updatedAt,
    sealedEventId: sealedEventId ?? null,
    seq: store.stats().levels.applied,
    oldestEventId: store.oldestEventId,
    nextEventId,
    collections,
    events: [...store.events()],
  }
}
