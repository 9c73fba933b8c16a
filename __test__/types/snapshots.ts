// A snapshot set as users write it. Nothing here runs: the type check proves what compiles and, by each `@ts-expect-error`, what must not.
import { FileSnapshotSet, type SnapshotDamage, type SnapshotInfo, type SnapshotSetOptions, type SnapshotSetRecovery } from '../../src/snapshot-set/index.ts'

export async function kept(folder: string | URL): Promise<number> {
  const options: SnapshotSetOptions = { verify: undefined, allowNetworkFileSystem: false }
  await using set = await FileSnapshotSet.open(folder, options)
  // @ts-expect-error a set is opened, not made
  const made = new FileSnapshotSet()
  // @ts-expect-error no such way to look
  await FileSnapshotSet.open(folder, { verify: 'all' })
  // @ts-expect-error a full snapshot is published, not made
  await set.createOrGetSnapshot('full', 1, false)
  // @ts-expect-error it is said at each call
  await set.createOrGetSnapshot('diff', 1)
  const pending: SnapshotInfo = await set.createOrGetSnapshot('pending', 4, true)
  // @ts-expect-error a snapshot is what it is
  pending.ordinal = 5
  const full: SnapshotInfo = await set.publishCompletedSnapshot(pending.ordinal, { purgeObsoleteDiffs: true, purgeObsoletePendings: undefined })
  const chain: SnapshotInfo[] = set.snapshotsToRestore()
  const { snapshots, foreign }: { snapshots: SnapshotInfo[]; foreign: string[] } = set.list()
  const gone: SnapshotInfo[] = await set.prune({ keepFull: 2, pendings: undefined })
  const recovery: SnapshotSetRecovery = set.recovery
  const damaged: readonly SnapshotDamage[] = recovery.damaged
  const disposable: AsyncDisposable = set
  void [made, full.shardPaths[0]?.length, chain, foreign, damaged[0]?.message, disposable]
  return snapshots.length + gone.length
}
