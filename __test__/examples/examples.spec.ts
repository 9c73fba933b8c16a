// The examples are what users copy: each has to run, and to be right about what it says of itself.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { TYPESCRIPT } from '../support/typescript.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

async function run(name: string, ...more: readonly string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [...TYPESCRIPT, `examples/${name}/main.ts`, ...more], { cwd: root, timeout: 600_000 })
  return stdout + stderr
}

test.serial('bank: money is neither made nor lost', async (t) => {
  const output = await run('bank', '--transfers', '600')
  const [, done, refused] = /^(\d+) transfers, (\d+) refused/m.exec(output) ?? []
  t.is(Number(done) + Number(refused), 600, output)
  t.regex(output, /^the bank has 9000, as in the beginning$/m)
  t.regex(output, /^the events give the same balances$/m)
})

test.serial('orders: nothing is sold twice, nobody gets too much credit, and each event has its letter', async (t) => {
  const output = await run('orders')
  const [, placed] = /^(\d+) orders placed, \d+ refused$/m.exec(output) ?? []
  t.true(Number(placed) > 0, output)
  t.is([...output.matchAll(/^\w+: \d+ sold, \d+ left, 150 in all$/gm)].length, 3, output)
  t.regex(output, /no more credit for/)
  t.regex(output, new RegExp(`^${placed} letters for ${placed} events$`, 'm'))
})

test.serial('counter: each number is given once', async (t) => {
  const output = await run('counter', '--workers', '3', '--requests', '600')
  for (const counter of ['visits', 'orders', 'invoices']) t.regex(output, new RegExp(`^${counter}: 200 numbers by 3 workers, each once$`, 'm'))
})
