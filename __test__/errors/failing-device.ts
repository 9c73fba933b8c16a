// Writes until the device fails, then tells what every call says.
//
//   failing-device.ts PATH
import { LedgerstoneError, open } from 'ledgerstone'
import { report } from '../support/report.ts'

const [path] = process.argv.slice(2) as [string]
const store = await open(path, { flush: { bytes: 256 * 1024 }, durability: 'durable' })
const payload = 'p'.repeat(20_000)
let failed = false
for (let n = 1; !failed && n < 5000; n++) {
  await tell('the write', async () => {
    const handle = store.apply((tx) => {
      tx.put(store.state, 'n', n)
      tx.append(payload)
    })
    await handle.wait()
    report(`durable ${n}`)
  }, () => (failed = true))
}
const late = store.apply.bind(store)
let ran = false
const fn = (): void => void (ran = true)
const levels = store.stats().levels
if (levels.applied > levels.durable) report(`applied and not durable: ${levels.applied - levels.durable}`)
await tell('a waiter', () => store.sync())
await tell('apply', () => late(fn))
await tell('transact', () => store.transact(fn))
await tell('put', () => store.state.put('a', 1))
await tell('append', () => store.append('a'))
await tell('writeTxn', () => store.writeTxn())
await tell('sync', () => store.sync())
await tell('flush', () => store.flush())
await tell('store.failure', () => {
  throw store.failure as LedgerstoneError
})
if (!ran) report('no function ran')
if ((store.state.get('n') as number) > 0 && [...store.events()].length > 0) report('reads go on')
await tell('a second open', () => open(path))
await tell('close', () => store.close())
const again = await open(path)
report('opened again after close')
await again.close().catch(() => {}) // which flushes, and the device has not become better

async function tell(what: string, call: () => unknown, onFailure: () => void = () => {}): Promise<void> {
  try {
    await call()
  } catch (error) {
    if (!(error instanceof LedgerstoneError)) throw error
    onFailure()
    const { code, name } = error
    report(JSON.stringify({ what, code, name, ...(error.cause instanceof LedgerstoneError ? { cause: { ...error.cause } } : {}) }))
  }
}
