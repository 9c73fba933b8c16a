// The boundary to native code: the only file that loads it. It declares what crosses, proves once that the binary exists and belongs to this package, and joins
// the other copies of the package in the thread. The meaning of each number is defined here; what it is used for, by the rooms that call.
import type * as Generated from '../../native.d.ts'
import type { StoreMeta, StoreStats } from '../canonical-store/api/store-stats.ts'
import { type ErrorRecord, errorFromRecord, errorOf } from '../errors.ts'
import type { EventLogStats, EventSegment } from '../event-log/log-types.ts'
import { VERSION } from '../internal/version.ts'
import type { LockStats } from '../lock-manager/locks.ts'
import type { SnapshotInfo, SnapshotSetRecovery } from '../snapshot-set/snapshot-types.ts'
import { loadNative } from './native-file.ts'

/** `get`: no such key. */
export const MISSING = -1
/** `get`: the value is larger than the pool and waits for `takeValue`. A page: the next entry needs as many bytes as the first u32 of the page says. */
export const TOO_BIG = -2

/**
 * The calls on the hot path: raw Node-API callbacks, made once per environment. -3 always means that an error record waits for `takeError`.
 * A *reader* is a store handle or a snapshot; a *slot* a collection, as the store handle knows it.
 */
export interface HotCalls {
  /** The value's length, the value written at `pool[offset..]`; `MISSING`, `TOO_BIG`. By `CallMemory`: reader, slot, key, offset; the answer. */
  get(pool: ArrayBuffer): void
  /** The value as text, which is UTF-8; if there is none, `MISSING`. By `CallMemory`: reader, slot, key; the answer. Counted as `get`. */
  getText(): string | undefined
  /** 1 or 0. By `CallMemory`: reader, slot, key; the answer. */
  has(): void
  /** Answers as many keys of `keys[at..length]` as fit, from one point in time; 0: the first does not fit and needs as many bytes as the u32 at `pool[0]` says. */
  getMany(reader: number, slot: number, keys: Buffer, at: number, keysLength: number, pool: Buffer): number
  /** Opens a cursor; `limit` -1: none. */
  rangeOpen(reader: number, slot: number, bounds: Buffer, limit: number): number
  /** Fills a page and returns the bytes used; `TOO_BIG`. */
  rangePage(cursor: number, pool: Buffer): number
  /** Fills a page with events from `from` to `to` (exclusive), downwards when `reverse`; `TOO_BIG`. */
  eventsPage(reader: number, from: number, to: number, reverse: boolean, pool: Buffer): number
  /** The length of an event's payload; at `pool[offset..]` its timestamp (f64), then the payload. `MISSING`; `TOO_BIG`: the timestamp is written. By
   * `CallMemory`: the store as reader, id, offset; the answer. */
  event(pool: ArrayBuffer): void
  /** Takes the gate and returns the next event id; waits at most 5 s for other threads and, with `stall` 1, at most 5 s for room. */
  begin(store: number, stall: number): number
  /** Commits the records of a write set, which is not shared with other threads; `mode` 0 takes the gate itself, 1 has it and always gives it back. 0 when applied. */
  commit(store: number, writeSet: ArrayBuffer | Buffer, length: number, mode: number): number
  /** Gives the gate back. */
  abort(store: number): void
  /** Callers wait: the highest seq for each level, 0 for none. `few` 1: no more than a flush in this call may serve. Returns the durable seq. */
  want(store: number, written: number, durable: number, flushed: number, room: number, few: number): number
  /** Writes into `marks`: applied, written, durable, flushed, flags (1 crowded, 2 failed, 4 no space, 8 sealed, 16 paused), the next event at the first three. */
  poll(store: number, marks: Float64Array): void
  /**
   * Asks for the packed set of `length` bytes. Returns the token when it is granted, the negative token when it is waited for, -1 when it is refused: by
   * `otherwise` 0, and by 2, which counts it as timed out, unlike 1. Then `set` begins with what {@link HotCalls.withdraw} writes.
   */
  lock(locks: number, set: Buffer, length: number, otherwise: number): number
  /** 1 when a set was given back, plus 2 when {@link HotCalls.grants} has something to fetch because of it. */
  unlock(locks: number, token: number): number
  /**
   * Stops waiting: with `why` 0 a grant that came first stays, with 1 it is given back. Returns 1 when it still waited, and writes three f64 to `blocked`: the
   * stripe, for how long others have held it, how long it was waited for (ms). Plus 2 as for `unlock`.
   */
  withdraw(locks: number, token: number, why: number, blocked: Buffer): number
  /** Writes the tokens that were granted after waiting, as many as fit, and returns how many. */
  grants(locks: number, tokens: Float64Array): number
  /** How long a set has been held, in ms; -1 when it is not held. */
  heldMs(locks: number, token: number): number
  /** Appends an event to a log; 0. The bytes are not in shared memory. */
  logAppend(log: number, id: number, bytes: Uint8Array): number
  /** Appends the events of `events[..length]`; 0. */
  logAppendBatch(log: number, firstId: number, events: Buffer, length: number): number
  /** The event's length, written at `pool[offset..]`; `MISSING`, `TOO_BIG`. */
  logGet(log: number, id: number, pool: ArrayBuffer | Buffer, offset: number): number
  /** Fills a page with events from `from` (0: the oldest) to `to` (exclusive); `TOO_BIG`. */
  logPage(log: number, from: number, to: number, pool: Buffer): number
  /** Writes the oldest event's id and the next one's. */
  logEnds(log: number, ids: Float64Array): number
}

/** The options of a store as native code takes them: an option that was not given is absent. */
export type NativeOptions = Generated.NativeOptions

/** The options of an event log as native code takes them: an option that was not given is absent; the longest event is always given. */
export type NativeLogOptions = Generated.NativeLogOptions & { maxEventBytes: number }

/** The result of opening an event log. */
export type OpenedLog = Generated.OpenedLog

/** What the engine has done in an observed store, in order within each kind; one entry may sum up several. */
export type Happenings = Generated.NativeHappenings

/** The result of opening a store. Handles with the same `storeKey` are the same store. */
export type OpenedStore = Generated.OpenedStore

/** The result of a verification; `omitted` counts the problems that are not listed. */
export type NativeReport = Generated.NativeReport

/** The types of the hot calls: this file compiles only if each call in native code's table has one. */
type Complete<Calls extends Record<keyof Generated.NativeHotCalls, unknown>> = Calls

/** The calls off the hot path. Those that fail throw what {@link nativeError} understands. */
export interface ColdCalls {
  version(): string
  /** The same for all copies of this package in the thread. */
  threadHome(): unknown
  hotCalls(onWake: () => void): Complete<HotCalls>
  /** The memory of `CallMemory`. */
  callMemory(): Uint8Array
  openStore(path: string, options: NativeOptions): Promise<OpenedStore>
  /** Resolves with what was observed and has not been fetched yet. */
  closeStore(store: number): Promise<Happenings>
  /** Begins or ends collecting what the engine does, and waking this environment for it. */
  observe(store: number, active: boolean): void
  takeHappenings(store: number): Happenings
  storeMeta(store: number): StoreMeta
  /** Throws the error for a write that has waited for room for too long. */
  noRoom(store: number): void
  storeStats(store: number): StoreStats
  /** The slot of a collection with these codecs; an empty codec name stands for the stored one. */
  collectionSlot(store: number, name: string, keyCodec: string, valueCodec: string): number
  collections(store: number): string[]
  openSnapshot(store: number): Generated.OpenedSnapshot
  releaseReader(reader: number): void
  closeCursor(cursor: number): void
  /** How many entries a cursor has; closes it. */
  rangeCount(cursor: number): number
  firstEventAt(reader: number, timestampMs: number): number
  oldestEventId(reader: number): number
  nextEventId(store: number): number
  /** Begins to verify an open store. */
  startVerification(store: number): number
  /** The report; `null` when there is none within a short while: call again. */
  awaitVerification(verification: number): Promise<NativeReport | null>
  /** Gives a verification up, or forgets it when it has ended. */
  endVerification(verification: number): void
  /** Verifies a store without opening it: `ERR_LOCKED` while any process has it open. */
  verifyClosedStore(path: string): Promise<NativeReport>
  /** What a backup of a store, or a restore, is known by while it runs. */
  beginBackup(store?: number): number
  backupProgress(backup: number): Generated.NativeProgress
  /** Gives it up, or forgets it when it has ended. */
  endBackup(backup: number): void
  /** `shards` and `keepFull` 0: left out. `null`: it was given up. */
  backUp(store: number, backup: number, dir: string, shards: number, keepFull: number): Promise<Generated.NativeBackupInfo | null>
  restoreStore(backup: number, from: string, to: string, verifyOnly: boolean): Promise<Generated.NativeRestoreInfo | null>
  openLocks(stripes: number): number
  storeLocks(store: number): number
  closeLocks(locks: number): void
  lockStats(locks: number): LockStats
  /** Wakes when an event is applied, written, durable; -1: none is awaited at that level. */
  awaitEvents(store: number, applied: number, written: number, durable: number): void
  /** One word (2 failed, 8 sealed, 16 paused) that native code keeps current. */
  storeCondition(store: number): Uint32Array
  /** The newest applied seq, in memory that native code keeps current; read with `Atomics.load`. */
  storeApplied(store: number): BigUint64Array
  /** Seals durably; returns the newest event, 0 for none. */
  sealStore(store: number): Promise<number>
  unsealStore(store: number): Promise<void>
  /** Trims durably; returns how many events were trimmed. */
  trimEvents(store: number, before: number): Promise<number>
  /** Closed segments of the event log, whose files stay until they are released. */
  holdSegments(store: number): { held: number; segments: EventSegment[] }
  releaseSegments(store: number, held: number): void
  /** CRC-32C over the file of the held segment that begins with this event. */
  segmentChecksum(store: number, held: number, firstEventId: number): Promise<number>
  /** Flushes and closes the newest segment; returns its path. */
  rotateEvents(store: number): Promise<string | null>
  /** Keeps writers out from now on; returns the number of this pause. */
  pauseStore(store: number): number
  /** Waits until no transaction is open; false when the pause has ended or the time is over. */
  waitIdle(store: number, pause: number, timeoutMs: number): Promise<boolean>
  resumeStore(store: number, pause: number): void
  resumeAll(store: number): void
  openEventLog(path: string, options: NativeLogOptions): Promise<OpenedLog>
  closeEventLog(log: number): Promise<void>
  logSync(log: number): Promise<void>
  logRotate(log: number): Promise<string | null>
  logDeleteRange(log: number, start: number, end: number): Promise<number>
  logSegments(log: number): EventSegment[]
  logChecksum(log: number, firstEventId: number): Promise<number>
  logStats(log: number): EventLogStats
  startLogVerification(log: number): number
  openSnapshotSet(path: string, readsContents: boolean, allowNetworkFileSystem: boolean): Promise<number>
  closeSnapshotSet(set: number): Promise<void>
  setCreateOrGet(set: number, kind: string, shardCount: number, mayAppendExisting: boolean): Promise<SnapshotInfo>
  setPublish(set: number, ordinal: number, diffs: boolean, pendings: boolean): Promise<SnapshotInfo>
  /** `keepFull` 0: all full ones stay. */
  setPrune(set: number, keepFull: number, pendings: boolean): Promise<SnapshotInfo[]>
  setList(set: number): { snapshots: SnapshotInfo[]; foreign: string[] }
  setSnapshotsToRestore(set: number): SnapshotInfo[]
  setRecovery(set: number): SnapshotSetRecovery
  takeError(): ErrorRecord
  takeValue(): Buffer
  handOver(): void
  /** The event loop is about to end, or goes on: see `ThreadHome`. */
  loopEnds(ends: boolean): void
}

/**
 * What the copies of this package in one thread share, however often its JavaScript is evaluated there. Native code makes it, in the thread's main realm, which
 * outlives the contexts in which test runners evaluate a copy.
 */
export interface ThreadHome {
  /** The native calls that all of them make: those that the first copy has loaded. */
  joined: { readonly version: string; readonly cold: ColdCalls; readonly hot: HotCalls } | undefined
  /** Called one after another when native code has news: those of the copies that have something open. */
  readonly wakes: Set<() => void>
  /** Calls them. */
  readonly wake: () => void
  /** Called when the thread ends, after the applied commits have gone to the operating system: those of the copies that have stores open. */
  readonly ends: Set<() => void>
  /** By the key of each open store, the part of it that exists once in a thread; only the store's room knows its type. */
  readonly stores: Map<number, unknown>
}

/** The thread of this copy, with the native calls of the copy that came first. */
export interface Thread {
  readonly home: ThreadHome
  readonly cold: ColdCalls
  readonly hot: HotCalls
}

/**
 * Joins the other copies of this package in the thread, or is the first.
 *
 * @throws `ERR_NATIVE_MISSING`; `ERR_VERSION_MISMATCH` when native code, or another copy in this thread, is of another version
 */
export function joinThread(own: ColdCalls = binding()): Thread {
  const home = own.threadHome() as ThreadHome
  const { version, cold, hot } = (home.joined ??= { version: VERSION, cold: own, hot: own.hotCalls(home.wake) })
  if (version !== VERSION) throw versionMismatch('another version of this package is in use in this thread', VERSION, version)
  return { home, cold, hot }
}

let loaded: ColdCalls | undefined

/**
 * The native half of this package, loaded at the first call.
 *
 * @throws `ERR_NATIVE_MISSING` when there is no binary for this platform, `ERR_VERSION_MISMATCH` when it belongs to another version
 */
export function binding(): ColdCalls {
  return (loaded ??= load())
}

/** What a cold call threw, as an error of this package. The message of what was thrown is the error record. */
export function nativeError(thrown: unknown): unknown {
  // By its message, not by its class: native code throws the main realm's errors, whichever realm this is.
  const message = (thrown as Partial<Error> | null | undefined)?.message
  if (typeof message !== 'string' || !message.startsWith('{"code":')) return thrown
  return errorFromRecord(JSON.parse(message) as ErrorRecord)
}

function load(): ColdCalls {
  const calls = loadNative() as typeof Generated
  const actual = versionOf(calls)
  if (actual !== VERSION) throw versionMismatch('the native binary belongs to another version; reinstall the package', VERSION, actual)
  return calls
}

function versionOf(calls: { version?(): string }): string {
  return calls.version?.() ?? 'unknown'
}

function versionMismatch(what: string, expected: string, actual: string): Error {
  return errorOf('ERR_VERSION_MISMATCH', `${what}: expected=${expected} actual=${actual}`, { expected, actual })
}
