// An event log in a separate folder, closed and removed with the test; its events carry their id.
import { join } from 'node:path'
import { EventLog, type EventLogOptions } from '../../src/event-log/index.ts'
import { temporaryFolder, type Ends } from '../support/temporary-folder.ts'

/** The smallest segments there are. */
export const SMALL_SEGMENTS: EventLogOptions = { segmentBytes: 16 * 1024 }

/** Where a log could be. */
export function logPath(t: Ends): string {
  return join(temporaryFolder(t), 'log')
}

/** Opens a log that the test may also close itself. */
export async function openLog(t: Ends, options?: EventLogOptions, path: string = logPath(t)): Promise<EventLog> {
  const log = await EventLog.open(path, options)
  t.teardown(() => log.close().catch(() => {}))
  return log
}

/** The event with this id: some are empty, some are larger than a page. */
export function eventOf(id: number): Buffer {
  const length = id % 11 === 0 ? 0 : id % 97 === 0 ? 70_000 : (id * 37) % 900
  return Buffer.alloc(length, `event ${id} `)
}

/** Appends the events up to `last`, one by one or by batches. */
export function appendUpTo(log: EventLog, last: number, batch = 1): void {
  while (log.nextEventId <= last) {
    const first = log.nextEventId
    const events = Array.from({ length: Math.min(batch, last - first + 1) }, (_, i) => eventOf(first + i))
    if (batch === 1) log.appendWithId(first, events[0] as Buffer)
    else log.appendBatchWithIds(first, events)
  }
}

/** The ids of what an iteration gives, after each event was held against what it should be. */
export function idsOf(events: Iterable<[number, Buffer]>): number[] {
  const ids: number[] = []
  for (const [id, bytes] of events) {
    if (!bytes.equals(eventOf(id))) throw new Error(`event ${id} is another one`)
    ids.push(id)
  }
  return ids
}

/** The integers from `first` to `last`. */
export function span(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i)
}
