// The public surface of `ledgerstone`, on one screen.
/// <reference types="node" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />
export { open } from './canonical-store/open.ts'
export { binary } from './codecs/binary.ts'
export { envelope } from './codecs/envelope.ts'
export { json } from './codecs/json.ts'
export { utf8 } from './codecs/utf8.ts'
export { compareDurability } from './durability.ts'
export { retry, type RetryOptions } from './retry.ts'
export {
  BackpressureError, BusyError, ClosedError, CodecError, ConflictError, CorruptionError, EventsTrimmedError, FormatError, InvalidArgumentError, IoError, LedgerstoneError,
  LimitError, LockedError, LockTimeoutError, NoSpaceError, PausedError, PoisonedError, PreflightRejectedError, SealedError, TimeoutError, ValidationError,
} from './errors.ts'

export type {
  CanonicalStore, Collection, Commit, CommitInfo, EventId, EventRange, EventReader, EventRecord, EventSegments, Follower, FollowOptions, KeyRange, KeyRef, OpenOptions,
  Pause, PauseOptions, Range, Reader, Seq, SignalOptions, Snapshot, StoreMeta, StoreStats, Sync, TransactOptions, Transaction, VerifyProblem, VerifyReport,
  WriteHandle, WriteOptions, WriteTxn,
} from './canonical-store/api/canonical-store.ts'
export type {
  CommitGroupMessage, FlushMessage, NoSpaceMessage, PoisonedMessage, RecoveryMessage, StallMessage,
} from './canonical-store/watching/diagnostics.ts'
export type { CheckOptions, CheckReport, Checks, DeclaredKey, KeySet, Phases, PhasesOptions, PreflightContext } from './canonical-store/api/phases.ts'
export type { Codec, Json, KeyCodec, KeyPrefix } from './codecs/codec.ts'
export type { Envelope, EnvelopeInput, EnvelopeOptions, EventMetadata, EventTypeOptions } from './codecs/envelope-types.ts'
export type { JsonOutput, JsonSafe } from './codecs/json.ts'
export type { StandardSchemaV1 } from './codecs/standard-schema.ts'
export type { Durability } from './durability.ts'
export type { ErrorCode, ErrorFields } from './errors.ts'
