// A batch of events as it crosses to native code: `[u32 length][bytes]` one after another, in memory that no other code has.
import { limitExceeded } from '../errors.ts'
import { writeBytes } from '../internal/bytes.ts'
import { checkedEventBytes } from './check-event.ts'

const HEAD = 4
/** A larger batch has to be split. */
const MAX_BATCH_BYTES = 2 ** 30

/** @throws `ERR_INVALID_ARGUMENT`, `ERR_LIMIT` before anything is copied */
export function packEvents(given: readonly Uint8Array[], maxEventBytes: number): Buffer {
  const events = Array.from(given) // looked at twice: an accessor of the user's might give something else the second time
  const lengths = events.map((event) => checkedEventBytes(event, maxEventBytes, 'events'))
  const bytes = lengths.reduce((sum, length) => sum + HEAD + length, 0)
  if (bytes > MAX_BATCH_BYTES) throw limitExceeded('the batch', 'batchBytes', bytes, MAX_BATCH_BYTES)
  const packed = Buffer.allocUnsafeSlow(bytes)
  let at = 0
  for (const [place, event] of events.entries()) {
    const length = writeBytes(packed, event, at + HEAD, lengths[place] as number)
    packed.writeUInt32LE(length, at)
    at += HEAD + length
  }
  return packed
}
