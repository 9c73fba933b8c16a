// The child that makes a sample store: commits one after the other, a flush on the way, and then a clean close or a kill.
//
//   make-sample.ts PATH COMMITS FLUSH_AFTER close|kill
import { open } from 'ledgerstone'
import { type Happened, SAMPLE_OPTIONS, writeCommit } from './sample.ts'

const [path, commits, flushAfter, end] = process.argv.slice(2) as [string, string, string, string]
const store = await open<Happened>(path, SAMPLE_OPTIONS)
for (let n = 1; n <= Number(commits); n++) {
  await writeCommit(store, n)
  if (n === Number(flushAfter)) await store.flush()
}
if (end === 'kill') process.kill(process.pid, 'SIGKILL')
await store.close()
