// Opens a store in a folder that the kernel's table of mounts calls a network file system, and tells what becomes of it.
//
//   network-store.ts FOLDER
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { LedgerstoneError, open } from 'ledgerstone'
import { EventLog } from 'ledgerstone/event-log'
import { report } from '../support/report.ts'

const [folder] = process.argv.slice(2) as [string]
const missing = join(folder, 'not', 'made', 'yet')
await tell('a folder to be made', missing)
await tell('a folder that is there', folder)
report(`made: ${String(existsSync(join(folder, 'not')))} ${readdirSync(folder).length}`)
const store = await open(missing, { allowNetworkFileSystem: true })
await store.state.put('a', 1)
// Left out contradicts nothing, also where it would have been refused.
const second = await open(missing)
report(`allowed: ${JSON.stringify(second.state.get('a'))}`)
await tell('a contradiction', missing, false)
await second.close()
await store.close()
await tell('an existing store', missing)
await tell('an event log', missing, undefined, (path, options) => EventLog.open(path, options))
const log = await EventLog.open(join(folder, 'log'), { allowNetworkFileSystem: true })
log.appendWithId(1, Buffer.from('a'))
await log.close()
const archive = await EventLog.open(join(folder, 'log'), { readOnly: true })
report(`a log that is allowed: ${archive.newestEventId}`)
await archive.close()

type Open = (path: string, options: { allowNetworkFileSystem: boolean | undefined }) => Promise<unknown>

async function tell(what: string, path: string, allowNetworkFileSystem?: boolean, openIt: Open = open): Promise<void> {
  try {
    await openIt(path, { allowNetworkFileSystem })
    report(`${what}: opened`)
  } catch (error) {
    if (!(error instanceof LedgerstoneError)) throw error
    report(`${what}: ${JSON.stringify({ ...Object.fromEntries(Object.entries(error)), name: error.name, message: error.message })}`)
  }
}
