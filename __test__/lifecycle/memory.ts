// A producer that never stops and never waits for the disk, and the memory of its process.
//
//   memory.ts PATH COMMITS apply|transact|scattered
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { open } from 'ledgerstone'
import { report } from '../support/report.ts'

const [path, commits, how] = process.argv.slice(2) as [string, string, string]
const FLUSH_BYTES = 1 << 20
const SAMPLES = 40

declare const gc: () => void

const store = await open(path, { flush: { bytes: FLUSH_BYTES }, segmentBytes: 1 << 20 })
const every = Math.floor(Number(commits) / SAMPLES)
const value = 'v'.repeat(how === 'scattered' ? 500 : 80)
for (let n = 1; n <= Number(commits); n++) {
  const key = how === 'scattered' ? createHash('md5').update(String(n)).digest('hex') : `key ${n % 5000}`
  if (how === 'apply') {
    store.apply((tx) => {
      tx.put(store.state, key, value)
      if (n % 4 === 0) tx.append(n)
    })
  } else {
    const committed = store.transact((tx) => tx.put(store.state, key, value), { durability: 'applied' })
    if (n % 500 === 0) await committed
  }
  if (n % every !== 0) continue
  const { delta, levels, state } = store.stats()
  gc()
  const { rss, heapUsed } = process.memoryUsage()
  const own = Number(/^RssAnon:\s+(\d+) kB$/m.exec(process.platform === 'linux' ? readFileSync('/proc/self/status', 'utf8') : '')?.[1] ?? 0) * 1024
  report(JSON.stringify({ n, rss, own, heapUsed, deltaBytes: delta.bytes, unflushed: levels.applied - levels.flushed, stateBytes: state.bytes }))
  // A loop that never yields is a separate case; this one yields now and then, as any program has to.
  await new Promise((resolve) => setImmediate(resolve))
}
await store.close()
report('closed')
