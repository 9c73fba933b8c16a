// lmdb-js with values in its encodings `string` and `json`, and keys that are strings in its own order.
import { open, type Database, type Key } from 'lmdb'
import { sampleAccount, type Peer, type SampleAccount } from '../peer.ts'
import type { Dataset } from '../workload.ts'
import { MAP_BYTES } from './lmdb.ts'

const PER_COMMIT = 10_000

export async function openPeer(folder: string, _variant: string | undefined, dataset: Dataset | undefined): Promise<Peer> {
  const root = open({ path: folder, overlappingSync: false, mapSize: MAP_BYTES })
  const common = { durability: 'flushed to the device' as const, close: () => root.close() }
  const fill = async <K extends Key, V>(into: Database<V, K>, entries: readonly [K, V][]): Promise<void> => {
    for (let at = 0; at < entries.length; at += PER_COMMIT) {
      await root.transaction(() => entries.slice(at, at + PER_COMMIT).forEach(([key, value]) => void into.put(key, value)))
    }
  }
  if (dataset === 'objects') {
    const records = root.openDB<SampleAccount, Buffer>({ name: 'records', encoding: 'json', keyEncoding: 'binary' })
    return {
      ...common,
      fill: (keys: readonly Buffer[]) =>
        fill(
          records,
          keys.map((key, n) => [key, sampleAccount(n)]),
        ),
      get: (key: Buffer) => records.get(key)?.owner.length ?? 0,
    }
  }
  if (dataset === 'string pairs') {
    const records = root.openDB<string, string>({ name: 'records', encoding: 'string' })
    return {
      ...common,
      fill: (keys: readonly Buffer[], value: Buffer) =>
        fill(
          records,
          keys.map((key) => [key.toString('hex'), textOf(value)]),
        ),
      range() {
        let entries = 0
        for (const { key, value } of records.getRange()) entries += key.length + value.length > 0 ? 1 : 0
        return entries
      },
    }
  }
  const records = root.openDB<string, Buffer>({ name: 'records', encoding: 'string', keyEncoding: 'binary' })
  return {
    ...common,
    fill: (keys: readonly Buffer[], value: Buffer) =>
      fill(
        records,
        keys.map((key) => [key, textOf(value)]),
      ),
    get: (key: Buffer) => records.get(key)?.length ?? 0,
  }
}

/** As many characters as the value has bytes. */
function textOf(value: Buffer): string {
  return value.toString('hex').slice(0, value.length)
}
