// A process that dies in the middle of its work: commits that are durable, and in the journal only, are what the next opening has to recover.
import { binary, open } from 'ledgerstone'
import { EVENT_BYTES, Random, VALUE_BYTES } from './peer.ts'

const [folder = '', count = '0'] = process.argv.slice(2)
const store = await open(folder, { events: binary(), flush: { bytes: 2 ** 28, intervalMs: 3_600_000 } })
const records = store.collection('records', { key: binary(), value: binary() })
const random = new Random(7)
const value = random.bytes(VALUE_BYTES)
const event = random.bytes(EVENT_BYTES)
for (let i = 0; i < Number(count); i++) {
  store.apply((tx) => {
    tx.put(records, random.bytes(16), value)
    tx.append(event)
  })
}
await store.sync()
process.kill(process.pid, 'SIGKILL')
