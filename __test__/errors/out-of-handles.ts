// Uses up the process's file handles while a store works, which goes on: it flushes, takes new journal files and begins new segments.
//
//   out-of-handles.ts PATH
import { closeSync, openSync } from 'node:fs'
import { binary, open } from 'ledgerstone'
import { report } from '../support/report.ts'

const store = await open(process.argv[2] as string, { flush: { bytes: 64 * 1024, intervalMs: 20 }, segmentBytes: 64 * 1024 })
const values = store.collection('values', { value: binary() })
await values.put('first', Buffer.alloc(1))
await store.flush()

const used: number[] = []
try {
  for (;;) used.push(openSync('/dev/null', 'r'))
} catch (error) {
  report((error as { code: string }).code)
}
for (let n = 0; n < 200; n++) {
  await store.transact((tx) => {
    tx.put(values, `key ${n}`, Buffer.alloc(10_000, n))
    tx.append('x'.repeat(2000))
  })
  if (n % 20 === 0) await store.flush()
}
const { events, flusher } = store.stats()
if (store.failure === undefined && events.segments > 2 && flusher.runs > 5) report('it went on')
for (const fd of used) closeSync(fd)
await store.close()
