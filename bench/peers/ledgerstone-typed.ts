// This package with values, or keys and values, that are not bytes.
import { binary, json, open, utf8, type Collection } from 'ledgerstone'
import { sampleAccount, type Peer, type SampleAccount } from '../peer.ts'
import type { Dataset } from '../workload.ts'

const PER_COMMIT = 1000

export async function openPeer(folder: string, _variant: string | undefined, dataset: Dataset | undefined): Promise<Peer> {
  const store = await open(folder)
  const common = { durability: 'flushed to the device' as const, close: () => store.close() }
  const fill = async <K, V>(into: Collection<K, V>, entries: readonly [K, V][]): Promise<void> => {
    for (let at = 0; at < entries.length; at += PER_COMMIT) {
      await store.transact((tx) => entries.slice(at, at + PER_COMMIT).forEach(([key, value]) => tx.put(into, key, value)), { durability: 'applied' })
    }
    await store.flush()
  }
  if (dataset === 'objects') {
    const records = store.collection('records', { key: binary(), value: json<SampleAccount>() })
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
    const records = store.collection('records', { key: utf8(), value: utf8() })
    return {
      ...common,
      fill: (keys: readonly Buffer[], value: Buffer) =>
        fill(
          records,
          keys.map((key) => [key.toString('hex'), textOf(value)]),
        ),
      range() {
        let entries = 0
        for (const [key, value] of records.range()) entries += key.length + value.length > 0 ? 1 : 0
        return entries
      },
    }
  }
  const records = store.collection('records', { key: binary(), value: utf8() })
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
