// Checks of an event and its id, before anything else happens.
import { invalidArgument, limitExceeded } from '../errors.ts'
import { isBytes, isDetached, lengthOf } from '../internal/bytes.ts'

/** An id: a safe integer from 0 on. */
export function checkId(id: unknown, argument: string): asserts id is number {
  if (!Number.isSafeInteger(id) || (id as number) < 0) throw invalidArgument(argument, 'the id of an event is an integer from 0 on')
}

/** Bytes within the limit: how many. */
export function checkedEventBytes(event: unknown, maxEventBytes: number, argument: string): number {
  if (!isBytes(event)) throw invalidArgument(argument, 'an event is a Uint8Array')
  const length = lengthOf(event)
  if (length > maxEventBytes) throw limitExceeded('the event', 'maxEventBytes', length, maxEventBytes)
  if (length === 0 && isDetached(event)) throw invalidArgument(argument, 'the memory of the bytes was given away')
  return length
}
