// Run by kill.spec.ts: appends until it is killed, and reports what was acknowledged as appended.
//
//   appender.ts PATH DURABILITY SEED
import { EventLog } from 'ledgerstone/event-log'
import type { Durability } from 'ledgerstone'
import { Random } from '../support/random.ts'
import { report } from '../support/report.ts'
import { eventOf } from './log-folder.ts'

const [path, durability, seed] = process.argv.slice(2) as [string, Durability, string]
const random = new Random(Number(seed))
const compression = random.pick(['none', 'lz4', 'zstd'] as const)
const log = await EventLog.open(path, { durability, compression, segmentBytes: 16 * 1024 })
report('open')
for (;;) {
  const first = log.nextEventId
  if (random.oneIn(3))
    log.appendBatchWithIds(
      first,
      Array.from({ length: random.below(40) }, (_, i) => eventOf(first + i)),
    )
  else log.appendWithId(first, eventOf(first))
  report(String(log.newestEventId))
  if (random.oneIn(40)) await log.rotate()
  if (random.oneIn(60)) {
    const horizon = log.newestEventId - 100
    if (horizon > log.oldestEventId) {
      report(`trims ${horizon}`)
      await log.deleteRange(0, horizon)
    }
  }
}
