// A snapshot set in a separate folder, closed and removed with the test; its files say which snapshot they belong to.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FileSnapshotSet as Published } from 'ledgerstone/snapshots'
import { FileSnapshotSet, type SnapshotInfo, type SnapshotSetOptions } from '../../src/snapshot-set/index.ts'
import { temporaryFolder, type Ends } from '../support/temporary-folder.ts'

/** Where a set could be. */
export function setPath(t: Ends): string {
  return join(temporaryFolder(t), 'set')
}

/** Opens a set that the test may also close itself. */
export async function openSet(t: Ends, path: string = setPath(t), options?: SnapshotSetOptions): Promise<FileSnapshotSet> {
  const set = await FileSnapshotSet.open(path, options)
  t.teardown(() => set.close())
  return set
}

/** What a shard of a full snapshot holds: some are empty. */
export function contentOf(ordinal: number, shard: number): Buffer {
  return Buffer.alloc((ordinal * 977 + shard * 331) % 5_000, `snapshot ${ordinal} shard ${shard}. `)
}

/** Writes every shard, and flushes none. */
export function fill({ ordinal, shardPaths }: SnapshotInfo): void {
  for (const [shard, path] of shardPaths.entries()) writeFileSync(path, contentOf(ordinal, shard))
}

/** A pending snapshot that is filled and published. */
export async function publish(
  set: FileSnapshotSet | Published,
  shards: number,
  options?: { purgeObsoleteDiffs?: boolean; purgeObsoletePendings?: boolean },
): Promise<SnapshotInfo> {
  const pending = await set.createOrGetSnapshot('pending', shards, false)
  fill(pending)
  return set.publishCompletedSnapshot(pending.ordinal, options)
}

/** Whether every shard of a full snapshot holds what was published. */
export function holds({ ordinal, shardPaths }: SnapshotInfo): boolean {
  return shardPaths.every((path, shard) => readFileSync(path).equals(contentOf(ordinal, shard)))
}

/** Snapshots in short: `1 full`. */
export function short(snapshots: readonly SnapshotInfo[]): string[] {
  return snapshots.map(({ ordinal, type }) => `${ordinal} ${type}`)
}
