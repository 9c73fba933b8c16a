// An event log as users write it. Nothing here runs: the type check proves what compiles and, by each `@ts-expect-error`, what must not.
import type { EventId, VerifyReport } from '../../src/index.ts'
import { EventLog, type EventLogOptions, type EventLogRecovery, type EventLogStats, type EventSegment } from '../../src/event-log/index.ts'

export async function archived(dir: string | URL): Promise<number> {
  const options: EventLogOptions = { segmentBytes: undefined, durability: 'durable', compression: 'zstd', readOnly: false }
  await using log = await EventLog.open(dir, options)
  // @ts-expect-error a log is opened, not made
  const made = new EventLog()
  // @ts-expect-error no such compression
  await EventLog.open(dir, { compression: 'zip' })
  // @ts-expect-error the id is its own argument
  log.appendWithId(Buffer.alloc(1))
  // @ts-expect-error events are bytes
  log.appendWithId(log.nextEventId, 'text')
  // @ts-expect-error it follows from the events
  log.nextEventId = 5
  log.appendWithId(log.nextEventId, new Uint8Array(3))
  log.appendBatchWithIds(log.nextEventId, [Buffer.from('a'), new Uint8Array(2)] as const)
  const first: Buffer | undefined = log.get(log.oldestEventId)
  for (const [id, bytes] of log.iterRange(0, 10)) {
    const of: [EventId, Buffer] = [id, bytes]
    void of
  }
  const path: string | undefined = await log.rotate()
  const segments: EventSegment[] = log.segments()
  const sums: number[] = await Promise.all(segments.map((segment) => log.checksum(segment)))
  const gone: number = await log.deleteRange(1, log.newestEventId)
  const report: VerifyReport = await log.verify()
  const stats: EventLogStats = log.stats()
  const recovery: EventLogRecovery = log.recovery
  const disposable: AsyncDisposable = log
  void [made, first, path, sums, report, recovery.tornTail?.bytes, disposable]
  return gone + stats.fileCount
}
