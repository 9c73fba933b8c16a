// The public surface of `ledgerstone`, on one screen.
/// <reference types="node" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />
export { restore } from './canonical-store/restore.ts'
export { open } from './canonical-store/open.ts'
export { binary } from './codecs/binary.ts'
export { envelope } from './codecs/envelope.ts'
export { json } from './codecs/json.ts'
export { utf8 } from './codecs/utf8.ts'
export { compareDurability } from './compare-durability.ts'
export { retry, type RetryOptions } from './retry.ts'
export {
  BackpressureError,
  BackupError,
  BusyError,
  ClosedError,
  CodecError,
  ConflictError,
  CorruptionError,
  EventsTrimmedError,
  FormatError,
  InvalidArgumentError,
  IoError,
  LedgerstoneError,
  LimitError,
  LockedError,
  LockTimeoutError,
  NoSpaceError,
  PausedError,
  PoisonedError,
  PreflightRejectedError,
  SealedError,
  TimeoutError,
  ValidationError,
} from './errors.ts'

export type { BackupInfo, BackupOptions, Operations, Progress, ProgressOptions, RestoreInfo, RestoreOptions } from './canonical-store/api/backup.ts'
export type { CanonicalStore } from './canonical-store/api/canonical-store.ts'
export type { Collection, KeyRange, Range } from './canonical-store/api/collection.ts'
export type { Commit, CommitInfo, Seq, SignalOptions, TransactOptions, WriteHandle, WriteOptions } from './canonical-store/api/commit.ts'
export type { EventRange, EventReader, EventRecord, EventSegments, Follower, FollowOptions } from './canonical-store/api/events.ts'
export type { OpenOptions } from './canonical-store/api/open-options.ts'
export type { Pause, PauseOptions } from './canonical-store/api/pause.ts'
export type { Reader } from './canonical-store/api/reader.ts'
export type { Snapshot } from './canonical-store/api/snapshot.ts'
export type { StoreMeta, StoreStats } from './canonical-store/api/store-stats.ts'
export type { Sync, Transaction, WriteTxn } from './canonical-store/api/transaction.ts'
export type { EventId } from './event-log/log-types.ts'
export type { KeyRef } from './lock-manager/locks.ts'
export type { VerifyProblem, VerifyReport } from './verify-report.ts'
export type { CommitGroupMessage, FlushMessage, NoSpaceMessage, PoisonedMessage, RecoveryMessage, StallMessage } from './canonical-store/api/diagnostics.ts'
export type { CheckOptions, CheckReport, Checks, DeclaredKey, KeySet, Phases, PhasesOptions, PreflightContext } from './canonical-store/api/phases.ts'
export type { Codec, Json, KeyCodec, KeyPrefix } from './codecs/codec.ts'
export type { Envelope, EnvelopeInput, EnvelopeOptions, EventMetadata, EventTypeOptions } from './codecs/envelope-types.ts'
export type { JsonOutput, JsonSafe } from './codecs/json.ts'
export type { StandardSchemaV1 } from './codecs/standard-schema.ts'
export type { Durability } from './durability.ts'
export type { ErrorCode, ErrorFields } from './errors.ts'
