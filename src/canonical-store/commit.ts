// The one native call that applies a write set, and what it says of the commit.
import type { CommitInfo } from './canonical-store.ts'
import type { StoreHandle } from './store-handle.ts'
import { CROWDED, type WriteSet } from './write-set.ts'

const TAKES_THE_GATE = 0
const HAS_THE_GATE = 1

/**
 * Applies what a write set holds; when it throws nothing was applied. The gate is given back in any case.
 *
 * @throws `ERR_BUSY`, `ERR_LIMIT`, `ERR_CODEC_MISMATCH`, `ERR_NO_SPACE`, `ERR_POISONED`, `ERR_CLOSED`
 */
export function commitWrites(handle: StoreHandle, writes: WriteSet, hasGate: boolean): CommitInfo {
  const { environment, shared } = handle
  shared.observe()
  if (environment.hot.commit(handle.id, writes.buffer, writes.length, hasGate ? HAS_THE_GATE : TAKES_THE_GATE) !== 0) throw shared.writeError()
  const head = writes.view
  shared.crowded = (head.getUint32(36, true) & CROWDED) !== 0
  shared.observer.applied()
  const seq = head.getFloat64(0, true)
  const timestamp = head.getFloat64(8, true)
  const firstEventId = head.getFloat64(16, true)
  const eventsWritten = head.getUint32(24, true)
  const keysWritten = head.getUint32(28, true)
  const keysDeleted = head.getUint32(32, true)
  if (eventsWritten === 0) return { seq, timestamp, eventsWritten, keysWritten, keysDeleted }
  return { seq, timestamp, eventsWritten, firstEventId, lastEventId: firstEventId + eventsWritten - 1, keysWritten, keysDeleted }
}
