// The one native call that applies a write set, and its answer about the commit.
import { IS_CROWDED } from '../../native/flags.ts'
import type { Commit, CommitInfo } from '../api/commit.ts'
import type { StoreHandle } from '../store-handle.ts'
import type { WriteSet } from './write-set.ts'

const TAKES_THE_GATE = 0
const HAS_THE_GATE = 1

/** The layout of the head: `write-set.ts`. */
const SEQ = 0
const TIMESTAMP = 8
const FIRST_EVENT_ID = 16
const EVENTS = 24
const KEYS_WRITTEN = 28
const KEYS_DELETED = 32
const FLAGS = 36

const MAX_SMALL = 2 ** 31 - 1

/**
 * Applies the write set; if it throws, nothing was applied. The gate is given back in any case.
 *
 * @throws `ERR_BUSY`, `ERR_LIMIT`, `ERR_CODEC_MISMATCH`, `ERR_NO_SPACE`, `ERR_POISONED`, `ERR_CLOSED`
 */
export function commitWrites(handle: StoreHandle, writes: WriteSet, hasGate: boolean): CommitInfo {
  const head = applied(handle, writes, hasGate)
  const eventsWritten = head.getUint32(EVENTS, true)
  const firstEventId = small(head.getFloat64(FIRST_EVENT_ID, true))
  const seq = small(head.getFloat64(SEQ, true))
  const timestamp = head.getFloat64(TIMESTAMP, true)
  const keysWritten = head.getUint32(KEYS_WRITTEN, true)
  const keysDeleted = head.getUint32(KEYS_DELETED, true)
  if (eventsWritten === 0) return { seq, timestamp, eventsWritten, keysWritten, keysDeleted }
  handle.shared.appended(firstEventId + eventsWritten)
  return { seq, timestamp, eventsWritten, firstEventId, lastEventId: firstEventId + eventsWritten - 1, keysWritten, keysDeleted }
}

/**
 * The same with the result of the transaction's function. Written out again: adding a field to a spread object makes V8 create a hidden class at each call, a
 * fifth of the cost of a commit.
 */
export function commitWith<T>(handle: StoreHandle, writes: WriteSet, hasGate: boolean, result: T): Commit<T> {
  const head = applied(handle, writes, hasGate)
  const eventsWritten = head.getUint32(EVENTS, true)
  const firstEventId = small(head.getFloat64(FIRST_EVENT_ID, true))
  const seq = small(head.getFloat64(SEQ, true))
  const timestamp = head.getFloat64(TIMESTAMP, true)
  const keysWritten = head.getUint32(KEYS_WRITTEN, true)
  const keysDeleted = head.getUint32(KEYS_DELETED, true)
  if (eventsWritten === 0) return { seq, timestamp, eventsWritten, keysWritten, keysDeleted, result }
  handle.shared.appended(firstEventId + eventsWritten)
  return { seq, timestamp, eventsWritten, firstEventId, lastEventId: firstEventId + eventsWritten - 1, keysWritten, keysDeleted, result }
}

/** The head, in which native code has written the outcome. */
function applied(handle: StoreHandle, writes: WriteSet, hasGate: boolean): DataView {
  const { environment, shared } = handle
  shared.observe()
  if (environment.hot.commit(handle.id, writes.memory, writes.length, hasGate ? HAS_THE_GATE : TAKES_THE_GATE) !== 0) throw shared.writeError()
  const head = writes.view
  shared.crowded = (head.getUint32(FLAGS, true) & IS_CROWDED) !== 0
  shared.observer.applied()
  return head
}

/** The same number. One that fits into 31 bits is not stored as a floating-point number, which would be one more object for each commit. */
function small(number: number): number {
  return number <= MAX_SMALL ? number | 0 : number
}
