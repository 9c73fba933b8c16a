// Writes until the device fails, then tells what every call says.
//
//   failing-device.ts PATH
import { LedgerstoneError, open } from 'ledgerstone'
import { report } from '../support/report.ts'

const [path] = process.argv.slice(2) as [string]
const store = await open(path, { flush: { bytes: 256 * 1024 }, durability: 'durable' })
const payload = 'p'.repeat(20_000)
for (let n = 1; n < 5000; n++) {
  const isWritten = await tell('the write', async () => {
    const handle = store.apply((tx) => {
      tx.put(store.state, 'n', n)
      tx.append(payload)
    })
    await handle.wait()
    report(`durable ${n}`)
  })
  if (!isWritten) break
}
let ran = false
const fn = (): void => void (ran = true)
await tell('apply', () => store.apply(fn))
await tell('transact', () => store.transact(fn))
await tell('put', () => store.state.put('a', 1))
await tell('append', () => store.append('a'))
await tell('writeTxn', () => store.writeTxn())
await tell('sync', () => store.sync()) // which has nothing to wait for when the last write was refused at once
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

/** Makes a call and reports its error; whether there was none. */
async function tell(what: string, call: () => unknown): Promise<boolean> {
  try {
    await call()
    return true
  } catch (error) {
    if (!(error instanceof LedgerstoneError)) throw error
    const { code, name } = error
    const cause = error.cause instanceof LedgerstoneError ? Object.fromEntries(Object.entries(error.cause)) : undefined
    report(JSON.stringify({ what, code, name, cause }))
    return false
  }
}
