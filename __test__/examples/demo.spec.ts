// The demo is a program that users run first: a small part of its data has to go the whole way, the kill included.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { TYPESCRIPT } from '../support/typescript.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const ROWS = 60_000

for (const durability of ['durable', 'applied']) {
  test.serial(`the demo recovers, goes on and proves its state, each commit ${durability}`, async (t) => {
    const program = [...TYPESCRIPT, 'examples/demo/main.ts', '--rows', String(ROWS), '--durability', durability]
    const { stdout } = await promisify(execFile)(process.execPath, program, { cwd: root, timeout: 600_000 })
    t.regex(stdout, /SIGKILL after [\d,]+ acknowledged events/)
    t.regex(stdout, /the last one ends a transaction/)
    t.regex(stdout, /all 60,000 events read back are the flights of the file/)
    t.regex(stdout, /equal what a plain loop over the file computes/)
    t.regex(stdout, /events +60,000/)
    const recovered = Number(/([\d,]+) events: /.exec(stdout)?.[1]?.replaceAll(',', ''))
    t.true(recovered < ROWS, 'it was killed on the way')
    if (durability === 'durable') t.true(recovered >= ROWS / 2, 'and had been promised half')
  })
}
