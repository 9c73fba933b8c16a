// The public surface of `ledgerstone/snapshots`. The errors are those of `ledgerstone`: their classes exist once.
/// <reference types="node" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />
export { FileSnapshotSet } from './file-snapshot-set.ts'

export type { SnapshotDamage, SnapshotInfo, SnapshotSetOptions, SnapshotSetRecovery } from './snapshot-types.ts'
