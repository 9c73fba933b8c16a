// Run by backup-kill.spec.ts: writes, and makes one backup after the other, until it is killed. Every commit has the number that it should have.
//
//   backup-maker.ts STORE BACKUPS SEED
import { open } from 'ledgerstone'
import { Random } from '../support/random.ts'
import { report } from '../support/report.ts'

const [path, backups, seed] = process.argv.slice(2) as [string, string, string]
const random = new Random(Number(seed))
const store = await open(path, { durability: 'applied', flush: { bytes: 256 * 1024, intervalMs: 20 }, segmentBytes: 64 * 1024 })
let next = ((store.state.get('n') as number | undefined) ?? 0) + 1
const writing = (async () => {
  for (;;) {
    for (let n = 0; n < 20; n++, next++) {
      const number = next
      store.apply((tx) => {
        tx.put(store.state, 'n', number)
        tx.put(store.state, `key ${number % 5000}`, { number, text: 'x'.repeat(number % 100) })
        tx.append({ number })
      })
    }
    await store.flush()
  }
})()
writing.catch((error: unknown) => report(`failed ${String(error)}`))
report('open')
for (;;) {
  const { seq } = await store.backupTo(backups, { keepFull: 2, shards: 1 + random.below(6) })
  report(`made ${seq}`)
}
