// Reading a lot keeps nothing: a pass over a range or over events holds one page, however many records go by.
import test from 'ava'
import { binary } from '../../src/index.ts'
import { openStore } from '../support/store.ts'

const ENTRIES = 200_000
const MEBIBYTE = 1 << 20

function heldBytes(): number {
  const { gc } = globalThis as unknown as { gc: () => void }
  gc()
  gc() // finishes the sweeping that the first has begun
  const { heapUsed, external, arrayBuffers } = process.memoryUsage()
  return heapUsed + external + arrayBuffers
}

test.serial('the heap does not grow with the records of a range or with events', async (t) => {
  const store = await openStore(t)
  const values = store.collection('values', { value: binary() })
  for (let n = 0; n < ENTRIES; n += 2000) {
    store.apply((tx) => {
      for (let i = n; i < n + 2000; i++) tx.put(values, `key ${i}`, Buffer.alloc(60, i))
      tx.appendAll(Array.from({ length: 2000 }, (_, i) => ({ n: n + i })))
    })
  }
  await store.flush()
  const passes: Record<string, () => Iterable<unknown>> = {
    entries: () => values.range(),
    keys: () => values.range().keys(),
    values: () => values.range().values(),
    backwards: () => values.range({ reverse: true }),
    events: () => store.events(),
    pages: () => store.events().pages(),
  }
  for (const [name, pass] of Object.entries(passes)) {
    let seen = 0
    let early = 0
    let most = 0
    for (const record of pass()) {
      seen += Array.isArray(record) && name === 'pages' ? record.length : 1
      if (early === 0 && seen >= ENTRIES / 10) early = heldBytes()
      else if (early > 0 && seen % (ENTRIES / 5) < (name === 'pages' ? 1000 : 1)) most = Math.max(most, heldBytes())
    }
    t.is(seen, ENTRIES, name)
    t.true(most > 0 && most - early < MEBIBYTE, `${name}: ${early} bytes after a tenth, then up to ${most}`)
  }
})
