// Run by backup-kill.spec.ts: restores into one place after the other until it is killed.
//
//   restorer.ts BACKUPS FOLDER
import { join } from 'node:path'
import { restore } from 'ledgerstone'
import { report } from '../support/report.ts'

const [backups, folder] = process.argv.slice(2) as [string, string]
report('open')
for (let n = 0; ; n++) {
  report(`begins ${n}`)
  await restore(backups, join(folder, String(n)))
  report(`made ${n}`)
}
