// Appends, flushes, trims, and waits to be killed while it goes on appending.
//
//   trimming.ts PATH
import { open } from 'ledgerstone'
import { report } from '../support/report.ts'

const store = await open(process.argv[2] as string, { durability: 'applied', segmentBytes: 64 * 1024, flush: { bytes: 64 * 1024, intervalMs: 60_000 } })
for (let n = 0; n < 500; n++) await store.append(`${n} ${'x'.repeat(1000)}`)
await store.flush()
await store.trimEvents({ before: 301 })
report('trimmed')
for (;;) {
  await store.append('x'.repeat(1000), { durability: 'written' })
  await new Promise((resolve) => setTimeout(resolve, 1))
}
