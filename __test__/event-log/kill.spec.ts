// SIGKILL while a child appends, rotates and trims: what was acknowledged as appended is found afterwards, complete and in order, and the log goes on.
// Elsewhere a torn tail was never cut, and all that was appended after it was unreadable.
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { EventLog } from '../../src/event-log/index.ts'
import { Child } from '../support/child.ts'
import { Random, runSeed } from '../support/random.ts'
import { idsOf, logPath, span } from './log-folder.ts'

const APPENDER = new URL('appender.ts', import.meta.url)
const ROUNDS = 32
const MAX_DELAY_MS = 40

test('nothing acknowledged is lost', async (t) => {
  const path = logPath(t)
  const seed = runSeed()
  const random = new Random(seed)
  let acknowledged = 0
  let torn = 0
  for (let round = 0; round < ROUNDS; round++) {
    const where = `seed ${seed} round ${round}`
    const durability = round % 2 === 0 ? 'written' : 'durable'
    const before = acknowledged
    let horizon = 0
    const onReport = (line: string): void => {
      if (line.startsWith('trims ')) horizon = Number(line.slice(6))
      else if (line !== 'open') acknowledged = Number(line)
    }
    const child = new Child(APPENDER, { args: [path, durability, String(random.bits())], onReport })
    await child.reported('open')
    await sleep(random.below(MAX_DELAY_MS))
    child.kill('SIGKILL')
    const { signal, stderr } = await child.ended
    t.is(signal, 'SIGKILL', `${where}: ${stderr}`)

    const log = await EventLog.open(path, { segmentBytes: 16 * 1024 })
    if (log.recovery.tornTail !== undefined) torn++
    t.true(log.newestEventId >= acknowledged, `${where}: ${log.newestEventId} of ${acknowledged}`)
    t.true(log.oldestEventId <= Math.max(before - 50, horizon + 1, 1), `${where}: begins with ${log.oldestEventId}`)
    t.deepEqual(idsOf(log.iterRange(0)), span(log.oldestEventId, log.newestEventId), where)
    t.true((await log.verify()).ok, where)
    acknowledged = log.newestEventId
    if (log.newestEventId > 200) await log.deleteRange(0, Math.max(log.oldestEventId, log.newestEventId - 100))
    await log.close()
  }
  t.log(`${acknowledged} events over ${ROUNDS} kills, ${torn} torn tails, seed ${seed}`)
  t.true(acknowledged > ROUNDS, `${acknowledged}`)
})
