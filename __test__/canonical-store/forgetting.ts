// Run by snapshot.spec.ts: forgets snapshots, ranges and a store, and tells what became of them.
import { setTimeout as pause } from 'node:timers/promises'
import { open } from '../../src/index.ts'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'
import { rmSync } from 'node:fs'

const folder = makeTemporaryFolder()
const warnings: string[] = []
process.on('warning', (warning) => {
  if ((warning as { code?: string }).code === 'LEDGERSTONE_UNRELEASED') warnings.push(/a (\w+) was/.exec(warning.message)?.[1] ?? warning.message)
})

const store = await open(`${folder}/kept`)
await store.transact((tx) => {
  for (let i = 0; i < 3000; i++) tx.put(store.state, String(i), 'x'.repeat(100))
})
for (let i = 0; i < 3; i++) {
  store.snapshot()
  store.state.range()[Symbol.iterator]().next()
}
await (async () => void (await open(`${folder}/forgotten`)))()

for (let tries = 0; tries < 200 && (warnings.length < 3 || store.stats().readers.snapshots > 0); tries++) {
  globalThis.gc?.()
  await pause(5)
}
console.log(JSON.stringify({ snapshots: store.stats().readers.snapshots, warnings: warnings.toSorted() }))
await store.close()
// The forgotten one is closed as well: its lock is free.
await (await open(`${folder}/forgotten`)).close()
rmSync(folder, { recursive: true, force: true })
