// The public surface of `ledgerstone/coordinator`. The errors are those of `ledgerstone`: their classes exist once.
/// <reference types="node" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />
export { WriteCoordinator } from './write-coordinator.ts'

export type { CoordinatorOptions, CoordinatorStats, CoordinatorTypes, Delta, EpochHandle, EpochRange, EpochStamped, Flusher, View } from './coordinator-types.ts'
