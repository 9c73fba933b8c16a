// Opens in vain, again and again: no handle and no thread of it may be left.
//
//   failed-opens.ts FOLDER
import { mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { binary, open } from 'ledgerstone'
import { EventLog } from 'ledgerstone/event-log'
import { report } from '../support/report.ts'

const TIMES = 12
const folder = process.argv[2] as string
/** Without those in reserve, and the journals of the stores that are open, whose threads make files in advance: there are more and fewer of them. */
const handles = (): number => readdirSync('/proc/self/fd').filter((fd) => !/^\/dev\/null$|\/(made|held)\/journal\//.test(nameOf(fd))).length
const threads = (): number => readdirSync('/proc/self/task').length
function nameOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return '' // that of the listing itself
  }
}

const made = join(folder, 'made')
await (await open(made)).append('event')
const broken = join(folder, 'broken')
await (await open(broken)).close()
writeFileSync(join(broken, 'IDENTITY'), 'not one')
const held = join(folder, 'held')
const holder = await open(held)
const notALog = join(folder, 'log')
mkdirSync(notALog)
writeFileSync(join(notALog, 'IDENTITY'), 'not one')

const attempts: Record<string, () => Promise<unknown>> = {
  'none there': () => open(join(folder, 'none'), { create: false }),
  'another codec': () => open(made, { events: binary() as never }),
  'another option': () => open(held, { limits: { keyBytes: 17 } }),
  'a broken identity': () => open(broken),
  'no folder': () => open('/dev/null/store'),
  'no log': () => EventLog.open(join(folder, 'none'), { create: false }),
  'a broken log': () => EventLog.open(notALog),
  'given up': () => open(held, { signal: AbortSignal.abort() }),
}
for (const [name, attempt] of Object.entries(attempts)) {
  let failed = 0
  const once = (): Promise<unknown> => attempt().catch(() => failed++)
  await once() // Node's own threads and handles come with the first call
  const before = [handles(), threads()]
  for (let n = 1; n < TIMES; n++) await once()
  await new Promise((resolve) => setTimeout(resolve, 20))
  const left = [handles(), threads()].map((now, at) => now - (before[at] as number))
  report(`${name}: ${failed} of ${TIMES} failed, ${Math.max(0, left[0] as number)} handles and ${Math.max(0, left[1] as number)} threads are left`)
}
await holder.close()
