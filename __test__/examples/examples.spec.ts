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

test.serial('metrics: every point is in one row of the Parquet files', async (t) => {
  const output = await run('metrics', '--points', '30000')
  t.regex(output, /^29997 points applied, 3 refused, [1-9]\d* rows are not stored yet$/m)
  t.regex(output, /^\d+ rows in \d+ files have every point once$/m)
})

test.serial('write-behind: one reads what one has written, and the service has it in the end, however it fails', async (t) => {
  const output = await run('write-behind', '--writes', '2000')
  t.regex(output, /^2000 writes, each was read as it was written$/m)
  t.regex(output, /^the service failed [1-9]\d* of \d+ requests, knew [1-9]\d* batches again, and has every profile$/m)
})

test.serial('log-shipper: each event is shipped, also by a run after one that was forgotten', async (t) => {
  const output = await run('log-shipper', '--events', '1500')
  t.regex(output, /^\d+ lines in \d+ files have each of 1500 events$/m)
  t.regex(output, /^[1-9]\d* lines came twice/m)
})
