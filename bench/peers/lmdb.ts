// lmdb-js with binary keys and values. A commit counts when it is flushed.
import { open } from 'lmdb'
import type { Peer } from '../peer.ts'

/** Variants: `fast` (getBinaryFast: a view that the next read overwrites). */
export async function openPeer(folder: string, variant: string | undefined): Promise<Peer> {
  const root = open({ path: folder, overlappingSync: false, mapSize: 8 * 2 ** 30 })
  const records = root.openDB<Buffer, Buffer>({ name: 'records', encoding: 'binary', keyEncoding: 'binary' })
  const events = root.openDB<Buffer, number>({ name: 'events', encoding: 'binary', keyEncoding: 'uint32' })
  let nextEvent = 1 + ([...events.getKeys({ reverse: true, limit: 1 })][0] ?? 0)
  return {
    durability: 'flushed to the device',
    commit: (key: Buffer, value: Buffer, event: Buffer) =>
      root.transaction(() => {
        void records.put(key, value)
        void events.put(nextEvent++, event)
      }),
    appendEvents: (batch: readonly Buffer[]) =>
      root.transaction(() => {
        for (const event of batch) void events.put(nextEvent++, event)
      }),
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
    range() {
      let entries = 0
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
