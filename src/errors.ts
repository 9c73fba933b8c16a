// Every error of the package: one table of codes, and a class for each error that programs catch by class. No other file of `src` makes an error that a caller
// sees; what a user's function throws is never wrapped here.
import type { StandardSchemaV1 } from './codecs/standard-schema.ts'
import { brand } from './internal/brand.ts'

/** The codes an error of this package can carry. They are stable: programs compare them. */
export type ErrorCode =
  | 'ERR_INVALID_ARGUMENT'
  | 'ERR_LIMIT'
  | 'ERR_VALIDATION'
  | 'ERR_CODEC'
  | 'ERR_CODEC_MISMATCH'
  | 'ERR_NOT_FOUND'
  | 'ERR_LOCKED'
  | 'ERR_OPTIONS_MISMATCH'
  | 'ERR_CLOSED'
  | 'ERR_BACKPRESSURE'
  | 'ERR_BUSY'
  | 'ERR_TRANSACTION_OPEN'
  | 'ERR_TRANSACTION_FINISHED'
  | 'ERR_ASYNC_TRANSACTION'
  | 'ERR_PREFLIGHT_REJECTED'
  | 'ERR_UNDECLARED_KEY'
  | 'ERR_CONFLICT'
  | 'ERR_LOCK_TIMEOUT'
  | 'ERR_SEALED'
  | 'ERR_PAUSED'
  | 'ERR_TIMEOUT'
  | 'ERR_EVENTS_TRIMMED'
  | 'ERR_EVENT_ID_GAP'
  | 'ERR_CORRUPT'
  | 'ERR_FORMAT'
  | 'ERR_NO_SPACE'
  | 'ERR_IO'
  | 'ERR_POISONED'
  | 'ERR_BACKUP'
  | 'ERR_FILE_SYSTEM'
  | 'ERR_NATIVE_MISSING'
  | 'ERR_VERSION_MISMATCH'

/** The fields an error carries besides its code, by their documented names. */
export type ErrorFields = Readonly<Record<string, unknown>>

const RETRYABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ERR_BACKPRESSURE',
  'ERR_BUSY',
  'ERR_CONFLICT',
  'ERR_LOCK_TIMEOUT',
  'ERR_NO_SPACE',
  'ERR_PAUSED',
  'ERR_TIMEOUT',
])

/**
 * The class of every error of this package. `code` tells what happened, `retryable` whether the same call may succeed later without any change, `cause` the error
 * underneath, if there is one. `instanceof` works across several loaded copies of the package. Codes without a class carry their fields as plain properties: `path`,
 * `name` or `ordinal` (`ERR_NOT_FOUND`), `option` (`ERR_OPTIONS_MISMATCH`), `path` and `type` (`ERR_FILE_SYSTEM`), `collection` and, for a key, `key`
 * (`ERR_UNDECLARED_KEY`), `expected` and `actual` (`ERR_VERSION_MISMATCH`, `ERR_EVENT_ID_GAP`).
 */
export class LedgerstoneError extends Error {
  readonly code: ErrorCode
  /** Whether the same call, unchanged, may succeed later. */
  readonly retryable: boolean

  constructor(code: ErrorCode, message: string, fields?: ErrorFields, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.retryable = RETRYABLE.has(code)
    if (fields !== undefined) Object.assign(this, fields)
  }
}
// On the prototype and not on each error: the enumerable own properties are the documented fields only.
name(LedgerstoneError, 'LedgerstoneError')

/** `ERR_INVALID_ARGUMENT`: the call is wrong (a type, an unknown option, a bad bound, an empty key). Nothing has happened. Fix the call. */
export class InvalidArgumentError extends LedgerstoneError {
  declare readonly code: 'ERR_INVALID_ARGUMENT'
  /** The argument or option that is wrong. */
  declare readonly argument: string
}
name(InvalidArgumentError, 'InvalidArgumentError')

/** `ERR_LIMIT`: a key, value, event, transaction or id is over its limit. Split it, or raise the limit in {@link OpenOptions}. */
export class LimitError extends LedgerstoneError {
  declare readonly code: 'ERR_LIMIT'
  /** The name of the limit, as in the options (`keyBytes`, `valueBytes`, `eventBytes`, `transactionBytes`, …). */
  declare readonly limit: string
  /** What was asked for, in the limit's unit. */
  declare readonly size: number
  /** What is allowed, in the limit's unit. */
  declare readonly max: number
}
name(LimitError, 'LimitError')

/** `ERR_VALIDATION`: a schema refused a value; nothing was written. */
export class ValidationError extends LedgerstoneError {
  declare readonly code: 'ERR_VALIDATION'
  /** What the schema found, in its order. */
  declare readonly issues: readonly StandardSchemaV1.Issue[]
}
name(ValidationError, 'ValidationError')

/**
 * `ERR_CODEC`: a codec could not encode or decode (its own error is the `cause`).
 * `ERR_CODEC_MISMATCH`: a collection, or the event log, was made with another codec; `expected` is its name.
 */
export class CodecError extends LedgerstoneError {
  declare readonly code: 'ERR_CODEC' | 'ERR_CODEC_MISMATCH'
  /** `ERR_CODEC`: the codec's name. */
  declare readonly codec?: string
  /** The collection's name; absent for events. */
  declare readonly collection?: string
  /** `ERR_CODEC` of an event that is stored: its id. */
  declare readonly eventId?: number
  /** `ERR_CODEC_MISMATCH`: the codec that is stored. */
  declare readonly expected?: string
  /** `ERR_CODEC_MISMATCH`: the codec that was given. */
  declare readonly actual?: string
}
name(CodecError, 'CodecError')

/**
 * `ERR_LOCKED`: another process has the store open. Close it there. If `pid` is this process, it is another owner here, or a copy of this package that loaded its own
 * native binary: only threads that load the same binary share stores.
 */
export class LockedError extends LedgerstoneError {
  declare readonly code: 'ERR_LOCKED'
  /** The store's folder. */
  declare readonly path: string
  /** The process that holds it. Absent when nobody says: its hint beside the lock is gone, and the system knows no such process or does not tell. */
  declare readonly pid?: number
}
name(LockedError, 'LockedError')

/** `ERR_CLOSED`: the store, snapshot or iterator has been closed. */
export class ClosedError extends LedgerstoneError {
  declare readonly code: 'ERR_CLOSED'
}
name(ClosedError, 'ClosedError')

/**
 * `ERR_BACKPRESSURE` (retryable): `apply` stalled 5 s, or an awaited commit made no progress for 30 s (5 s if it waits for readers). The message says what it waits for:
 * the flusher (`await store.flush()`, or use `transact`), or open snapshots and iterations (release them).
 */
export class BackpressureError extends LedgerstoneError {
  declare readonly code: 'ERR_BACKPRESSURE'
  /** Bytes that are applied and not yet flushed. */
  declare readonly pendingBytes: number
}
name(BackpressureError, 'BackpressureError')

/** `ERR_BUSY` (retryable): another thread's transaction lasted longer than this one was willing to wait. */
export class BusyError extends LedgerstoneError {
  declare readonly code: 'ERR_BUSY'
  /** How long this call has waited, in ms. */
  declare readonly waitedMs: number
}
name(BusyError, 'BusyError')

/** `ERR_PREFLIGHT_REJECTED`: a preflight has called `reject`. Nothing was written. */
export class PreflightRejectedError extends LedgerstoneError {
  declare readonly code: 'ERR_PREFLIGHT_REJECTED'
  /** The reasons given to `reject`. */
  declare readonly errors: readonly string[]
}
name(PreflightRejectedError, 'PreflightRejectedError')

/**
 * `ERR_CONFLICT`. Of a preflight (retryable): another commit changed what it had read, each time before its transaction could apply; nothing was written. Of `after` (not
 * retryable): the cursor is beyond the newest event, as after a restore of an older copy; the consumer has to begin anew.
 */
export class ConflictError extends LedgerstoneError {
  declare readonly code: 'ERR_CONFLICT'
  /** How often the preflight has run. */
  declare readonly attempts?: number
  /** The cursor. */
  declare readonly expected?: number
  /** The newest event. */
  declare readonly actual?: number
}
name(ConflictError, 'ConflictError')

/** `ERR_LOCK_TIMEOUT` (retryable): a set of locks was not granted in time. Nothing is held. */
export class LockTimeoutError extends LedgerstoneError {
  declare readonly code: 'ERR_LOCK_TIMEOUT'
  /** How long this call has waited, in ms. */
  declare readonly waitedMs: number
  /** The stripe that it waited for last. */
  declare readonly stripe: number
  /** How long others have held that stripe, in ms. */
  declare readonly heldMs: number
}
name(LockTimeoutError, 'LockTimeoutError')

/** `ERR_SEALED`: the store takes no writes until `unseal()`. */
export class SealedError extends LedgerstoneError {
  declare readonly code: 'ERR_SEALED'
  /** The newest event when it was sealed; 0 for none. */
  declare readonly eventId: number
}
name(SealedError, 'SealedError')

/** `ERR_PAUSED` (retryable): `apply` or `writeTxn` while ingestion is paused. Wait, or use `transact`, which waits. */
export class PausedError extends LedgerstoneError {
  declare readonly code: 'ERR_PAUSED'
}
name(PausedError, 'PausedError')

/** `ERR_TIMEOUT` (retryable): a pause did not begin in time, or a coordinator did not take a write in time. The store and the coordinator run on. */
export class TimeoutError extends LedgerstoneError {
  declare readonly code: 'ERR_TIMEOUT'
  /** How long this call has waited, in ms. */
  declare readonly waitedMs: number
}
name(TimeoutError, 'TimeoutError')

/** `ERR_EVENTS_TRIMMED`: the events asked for are no longer kept. Start at `oldest`. */
export class EventsTrimmedError extends LedgerstoneError {
  declare readonly code: 'ERR_EVENTS_TRIMMED'
  /** The first event that was to be read. */
  declare readonly requested: number
  /** The oldest event that is kept; the next id when there is none. */
  declare readonly oldest: number
}
name(EventsTrimmedError, 'EventsTrimmedError')

/** `ERR_CORRUPT`: a checksum or a structure is wrong where data was promised. Restore from a backup. */
export class CorruptionError extends LedgerstoneError {
  declare readonly code: 'ERR_CORRUPT'
  /** The damaged file. */
  declare readonly file: string
  /** Where in it, in bytes from its start. */
  declare readonly offset: number
}
name(CorruptionError, 'CorruptionError')

/** `ERR_FORMAT`: no store of this package, or one in a newer format, or something else under a name of the store's (the message has its path). Nothing was changed. */
export class FormatError extends LedgerstoneError {
  declare readonly code: 'ERR_FORMAT'
  /** The version that was found, or what was found instead. */
  declare readonly found: number | string
  /** The newest version that this build reads, or what is expected there. */
  declare readonly supported: number | string
}
name(FormatError, 'FormatError')

/** `ERR_NO_SPACE` (retryable): the device is full. Free space; the store heals by itself. */
export class NoSpaceError extends LedgerstoneError {
  declare readonly code: 'ERR_NO_SPACE'
  /** The system's error number, if a system call failed. */
  declare readonly errno?: number
  /** The call that failed. */
  declare readonly syscall?: string
  /** The file that it was called for. */
  declare readonly path?: string
}
name(NoSpaceError, 'NoSpaceError')

/** `ERR_IO`: a system call failed. */
export class IoError extends LedgerstoneError {
  declare readonly code: 'ERR_IO'
  /** The system's error number. */
  declare readonly errno?: number
  /** The call that failed. */
  declare readonly syscall?: string
  /** The file that it was called for. */
  declare readonly path?: string
}
name(IoError, 'IoError')

/** `ERR_POISONED`: an earlier write failed half way (the `cause`), and no further write is acknowledged. Close the store and open it again. */
export class PoisonedError extends LedgerstoneError {
  declare readonly code: 'ERR_POISONED'
}
name(PoisonedError, 'PoisonedError')

/**
 * `ERR_BACKUP`: a backup cannot be made in a folder, or is not acceptable, or the place of a restore is taken (the message has the path). Nothing was changed or left
 * behind. The `cause` is the failure behind it, where there is one.
 */
export class BackupError extends LedgerstoneError {
  declare readonly code: 'ERR_BACKUP'
  /**
   * In one word. Of the backup: `missing`, `not-a-file` (a link, a device, a folder in the place of a file), `format`, `size`, `checksum`, `count`, `order` (keys, ids or
   * times), `limit`, `unreadable`. Of the folder: `other-store` (it holds backups of another store), `format` (or something else). Of the place: `target`.
   */
  declare readonly reason: 'missing' | 'not-a-file' | 'format' | 'size' | 'checksum' | 'count' | 'order' | 'limit' | 'unreadable' | 'other-store' | 'target'
}
name(BackupError, 'BackupError')

type ErrorClass = new (code: ErrorCode, message: string, fields?: ErrorFields, cause?: unknown) => LedgerstoneError

const CLASSES: Partial<Record<ErrorCode, ErrorClass>> = {
  ERR_INVALID_ARGUMENT: InvalidArgumentError,
  ERR_LIMIT: LimitError,
  ERR_VALIDATION: ValidationError,
  ERR_CODEC: CodecError,
  ERR_CODEC_MISMATCH: CodecError,
  ERR_LOCKED: LockedError,
  ERR_CLOSED: ClosedError,
  ERR_BACKPRESSURE: BackpressureError,
  ERR_BUSY: BusyError,
  ERR_PREFLIGHT_REJECTED: PreflightRejectedError,
  ERR_CONFLICT: ConflictError,
  ERR_LOCK_TIMEOUT: LockTimeoutError,
  ERR_SEALED: SealedError,
  ERR_PAUSED: PausedError,
  ERR_TIMEOUT: TimeoutError,
  ERR_EVENTS_TRIMMED: EventsTrimmedError,
  ERR_CORRUPT: CorruptionError,
  ERR_FORMAT: FormatError,
  ERR_NO_SPACE: NoSpaceError,
  ERR_IO: IoError,
  ERR_POISONED: PoisonedError,
  ERR_BACKUP: BackupError,
}

/** An error as native code hands it over. @internal */
export interface ErrorRecord {
  readonly code: string
  readonly message: string
  readonly details: Readonly<Record<string, number | string>>
  readonly cause?: ErrorRecord | undefined
}

/** Makes an error of the class that belongs to its code. @internal */
export function errorOf(code: ErrorCode, message: string, fields?: ErrorFields, cause?: unknown): LedgerstoneError {
  return new (CLASSES[code] ?? LedgerstoneError)(code, message, fields, cause)
}

/** Turns a native record, its causes included, into an error. @internal */
export function errorFromRecord(record: ErrorRecord): LedgerstoneError {
  const cause = record.cause == null ? undefined : errorFromRecord(record.cause)
  return errorOf(record.code as ErrorCode, record.message, record.details, cause)
}

/** Whether a thrown value is an error of this package with this code. @internal */
export function hasCode(error: unknown, code: ErrorCode): boolean {
  return error instanceof LedgerstoneError && error.code === code
}

/** `ERR_INVALID_ARGUMENT` about one argument. @internal */
export function invalidArgument(argument: string, what: string): LedgerstoneError {
  return errorOf('ERR_INVALID_ARGUMENT', `${what}: argument=\`${argument}\``, { argument })
}

/** `ERR_LIMIT`; `what` is too large (bytes), or there are too many. @internal */
export function limitExceeded(what: string, limit: string, size: number, max: number): LedgerstoneError {
  return errorOf('ERR_LIMIT', `${what} is too large: limit=\`${limit}\` size=${size} max=${max}`, { limit, size, max })
}

/** `ERR_CONFLICT`. @internal */
export function conflict(attempts: number): LedgerstoneError {
  return errorOf('ERR_CONFLICT', `what the preflight has read was changed meanwhile: attempts=${attempts}`, { attempts })
}

/** `ERR_CONFLICT` of a consumer whose cursor belongs to another history than the log's. Waiting does not help. @internal */
export function cursorBeyond(after: number, newest: number): LedgerstoneError {
  return errorOf('ERR_CONFLICT', `the cursor is beyond the newest event: after=${after} newest=${newest}`, { expected: after, actual: newest, retryable: false })
}

/** `ERR_EVENTS_TRIMMED`. @internal */
export function eventsTrimmed(requested: number, oldest: number): LedgerstoneError {
  return errorOf('ERR_EVENTS_TRIMMED', `the events asked for are no longer kept: requested=${requested} oldest=${oldest}`, { requested, oldest })
}

/** `ERR_CLOSED`. @internal */
export function closed(what: string): LedgerstoneError {
  return errorOf('ERR_CLOSED', `the ${what} is closed`)
}

function name(of: { readonly prototype: object }, value: string): void {
  Object.defineProperty(of.prototype, 'name', { value, configurable: true, writable: true })
  brand(of, value)
}
