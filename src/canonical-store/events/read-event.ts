// One event by its id: one native call. Text is decoded from memory that is used again; bytes are returned in memory that the user keeps.
import { ofEvent } from '../../codecs/payload-codec.ts'
import type { EventId } from '../../event-log/log-types.ts'
import { readUtf8 } from '../../internal/bytes.ts'
import { MISSING, TOO_BIG } from '../../native/binding.ts'
import { ANSWER, ID, OFFSET, READER } from '../../native/call-memory.ts'
import type { EventRecord } from '../api/events.ts'
import type { EventSource } from './event-pass.ts'

/** The timestamp, before the payload. */
const HEAD_BYTES = 8

/** An event of a store; `undefined` when there is none, also if it was trimmed. */
export function readEvent(source: EventSource, id: EventId): EventRecord<unknown> | undefined {
  try {
    return read(source, id)
  } catch (error) {
    throw ofEvent(error, id)
  }
}

function read(source: EventSource, id: EventId): EventRecord<unknown> | undefined {
  const { environment, reader, events } = source
  const { hot, scratch, scratchMemory, slab, memory } = environment
  if (!events.isText) slab.prepare()
  memory.numbers[READER] = reader
  memory.numbers[ID] = id
  memory.words[OFFSET] = events.isText ? 0 : slab.offset
  hot.event(events.isText ? scratchMemory : slab.memory)
  const length = memory.words[ANSWER] as number
  if (length === MISSING) return undefined
  if (length < 0 && length !== TOO_BIG) throw environment.error()
  const timestamp = events.isText ? scratch.readDoubleLE(0) : slab.data.getFloat64(slab.offset, true)
  if (length === TOO_BIG) {
    const large = environment.cold.takeValue()
    return { id, timestamp, event: events.isText ? events.fromText(readUtf8(large, 0, large.length)) : events.fromBytes(large) }
  }
  if (events.isText) return { id, timestamp, event: events.fromText(readUtf8(scratch, HEAD_BYTES, HEAD_BYTES + length)) }
  slab.offset += HEAD_BYTES
  return { id, timestamp, event: events.fromBytes(slab.take(length)) }
}
