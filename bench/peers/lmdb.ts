// lmdb-js with binary keys and values. A commit counts when it is flushed.
//
// As its documentation advises for this use: `batch` for writes that read nothing, which is a tenth faster here than `transaction`; `noMemInit`, since
// nobody else may read the files; no cache of objects and no compression, which bytes would not profit from; pages of 4 KiB, since all fits
// into memory. `overlappingSync: false` makes the promise of a commit mean that it is flushed; awaiting `flushed` beside it was not faster, and
// slower for one commit after another.
import { open } from 'lmdb'
import type { Peer } from '../peer.ts'

export const MAP_BYTES = 8 * 2 ** 30

/**
 * Variants: `fast` (getBinaryFast: a view that the next read overwrites), `keys` (a range without values), `committed` (a commit counts when it is
 * visible; flushing goes on beside the next ones, as it is by default).
 */
export async function openPeer(folder: string, variant: string | undefined): Promise<Peer> {
  const root = open({ path: folder, overlappingSync: variant === 'committed', noMemInit: true, mapSize: MAP_BYTES })
  const records = root.openDB<Buffer, Buffer>({ name: 'records', encoding: 'binary', keyEncoding: 'binary' })
  const events = root.openDB<Buffer, number>({ name: 'events', encoding: 'binary', keyEncoding: 'uint32' })
  let nextEvent = 1 + ([...events.getKeys({ reverse: true, limit: 1 })][0] ?? 0)
  return {
    durability: variant === 'committed' ? 'written' : 'flushed to the device',
    commit: (key: Buffer, value: Buffer, event: Buffer) =>
      root.batch(() => {
        void records.put(key, value)
        void events.put(nextEvent++, event)
      }),
    appendEvents: (toAppend: readonly Buffer[]) =>
      root.batch(() => {
        for (const event of toAppend) void events.put(nextEvent++, event)
      }),
    putMany: (keys: readonly Buffer[], value: Buffer) =>
      root.batch(() => {
        for (const key of keys) void records.put(key, value)
      }),
    drain: async () => void (await root.flushed),
    async fill(keys: readonly Buffer[], value: Buffer) {
      for (let at = 0; at < keys.length; at += 10_000) {
        await root.transaction(() => keys.slice(at, at + 10_000).forEach((key) => void records.put(key, value)))
      }
    },
    async fillEvents(count: number, event: Buffer) {
      for (let at = 0; at < count; at += 10_000) {
        await root.transaction(() => {
          for (let i = at; i < Math.min(count, at + 10_000); i++) void events.put(nextEvent++, event)
        })
      }
    },
    get: variant === 'fast' ? (key: Buffer) => records.getBinaryFast(key)?.length ?? 0 : (key: Buffer) => records.get(key)?.length ?? 0,
    async getMany(keys: readonly Buffer[]) {
      let bytes = 0
      for (const value of await records.getMany([...keys])) bytes += value?.length ?? 0
      return bytes
    },
    has: (key: Buffer) => records.doesExist(key),
    range() {
      let entries = 0
      if (variant === 'keys') {
        for (const key of records.getKeys()) entries += key.length > 0 ? 1 : 0
        return entries
      }
      for (const { key, value } of records.getRange()) entries += key.length + value.length > 0 ? 1 : 0
      return entries
    },
    iterateEvents() {
      let seen = 0
      for (const { value } of events.getRange()) seen += value.length > 0 ? 1 : 0
      return seen
    },
    event: (id: number) => events.get(id)?.length ?? 0,
    close: () => root.close(),
  }
}
