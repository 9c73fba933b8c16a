// The public surface of `ledgerstone/coordinator`. The errors are those of `ledgerstone`: their classes exist once.
/// <reference types="node" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />
export { http } from './http.ts'
export { jsonLines } from './json-lines.ts'
export { listDelta } from './list-delta.ts'
export { mapDelta } from './map-delta.ts'
export { parquet } from './parquet.ts'
export { WriteCoordinator } from './write-coordinator.ts'

export type { CoordinatorOptions, CoordinatorStats, CoordinatorTypes, Delta, EpochHandle, EpochRange, EpochStamped, Flusher, View } from './coordinator-types.ts'
export type { HttpAnswer, HttpOptions, HttpRequest, HttpSnapshot } from './http.ts'
export type { ItemsFlusher } from './items-flusher.ts'
export type { JsonLinesOptions, JsonLinesSnapshot } from './json-lines.ts'
export type { ListDelta, ListDeltaOptions, ListDeltaTypes } from './list-delta.ts'
export type { MapDelta, MapDeltaOptions, MapDeltaTypes, MapWrite } from './map-delta.ts'
export type { ParquetOptions, ParquetSnapshot, ParquetType } from './parquet.ts'
