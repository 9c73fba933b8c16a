// Appends to a log until its device refuses, then tells what every call says; one scene per argument.
//
//   device-scenes.ts SCENE PATH
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LedgerstoneError } from 'ledgerstone'
import { EventLog } from 'ledgerstone/event-log'
import { report } from '../support/report.ts'

const EVENT_BYTES = 20_000
const BATCH = 5

const [scene, path] = process.argv.slice(2) as [string, string]
const scenes: Record<string, () => Promise<void>> = { fails, full }
await scenes[scene]?.()

/** A write fails half way, and not for want of space. */
async function fails(): Promise<void> {
  const log = await EventLog.open(path, { durability: 'durable' })
  while (tell('the append', () => log.appendWithId(log.nextEventId, event(log.nextEventId)))) {}
  const acknowledged = log.newestEventId
  report(`acknowledged ${acknowledged}`)
  tell('appendWithId', () => log.appendWithId(log.nextEventId, event(1)))
  tell('appendBatchWithIds', () => log.appendBatchWithIds(log.nextEventId, [event(1)]))
  for (const [what, call] of Object.entries({ rotate: () => log.rotate(), sync: () => log.sync(), deleteRange: () => log.deleteRange(0, 1) })) await tellLater(what, call)
  report(`reads go on: ${[...log.iterRange(0)].length === acknowledged && log.get(1)?.length === EVENT_BYTES}`)
  await tellLater('close', () => log.close())
  const again = await EventLog.open(path)
  report(`opened again: ${check(again) >= acknowledged}`)
  await tellLater('close again', () => again.close())
}

/** The device is full, and then it is not. */
async function full(): Promise<void> {
  const folder = join(path, 'log')
  const filler = join(path, 'filler')
  writeFileSync(filler, Buffer.alloc(3 << 20))
  const log = await EventLog.open(folder, { segmentBytes: 1 << 20 })
  const append = (): boolean => {
    const first = log.nextEventId
    return tell('the append', () =>
      log.appendBatchWithIds(
        first,
        Array.from({ length: BATCH }, (_, i) => event(first + i)),
      ),
    )
  }
  while (append()) {}
  report(`full ${check(log) > 50}`)
  for (let i = 0; i < 3; i++) append()
  report(`the same: ${check(log) === log.newestEventId}`)
  rmSync(filler)
  const before = log.newestEventId
  for (let i = 0; i < 20; i++) append()
  report(`healed: ${check(log) - before === 20 * BATCH} ${(await log.verify()).ok}`)
  await log.close()
  const again = await EventLog.open(folder)
  report(`opened again: ${check(again) === before + 20 * BATCH}`)
  await again.close()
}

function event(id: number): Buffer {
  return Buffer.alloc(EVENT_BYTES, `${id} `)
}

/** The newest id, after every event was held against what it should be. */
function check(log: EventLog): number {
  let newest = 0
  for (const [id, bytes] of log.iterRange(0)) if (id !== ++newest || !bytes.equals(event(id))) throw new Error(`event ${id} after ${newest - 1}`)
  return newest
}

/** Makes a call and reports its error; whether there was none. */
function tell(what: string, call: () => void): boolean {
  try {
    call()
    return true
  } catch (error) {
    told(what, error)
    return false
  }
}

async function tellLater(what: string, call: () => Promise<unknown>): Promise<void> {
  try {
    await call()
  } catch (error) {
    told(what, error)
  }
}

function told(what: string, error: unknown): void {
  if (!(error instanceof LedgerstoneError)) throw error
  const cause = error.cause instanceof LedgerstoneError ? error.cause.code : undefined
  report(JSON.stringify({ what, code: error.code, name: error.name, retryable: error.retryable, cause }))
}
