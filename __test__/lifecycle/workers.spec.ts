// Worker threads come and go, mostly in the middle of something. Elsewhere terminating workers while they write aborted or hung the process, and
// what they had held stayed taken.
import test from 'ava'
import { open } from 'ledgerstone'
import { runChild } from '../support/child.ts'
import { runSeed } from '../support/random.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import type { Happened } from './committer.ts'

const SCENES = new URL('worker-scenes.ts', import.meta.url)
const ROUNDS = Number(process.env['LEDGERSTONE_WORKER_ROUNDS'] ?? 4)

test.serial('workers terminated in the middle of their commits lose nothing, take nothing with them and crash nothing', async (t) => {
  t.timeout(ROUNDS * 60_000)
  const seed = runSeed()
  t.log(`seed ${seed}`)
  const args = [temporaryFolder(t), String(seed), String(ROUNDS)]
  const ended = await runChild(new URL('terminate.ts', import.meta.url), { args, limitMs: ROUNDS * 60_000 })
  t.deepEqual([ended.code, ended.signal, ended.hung, ended.stderr, ended.reports.at(-1)], [0, null, false, '', 'done'])
  const [, , acknowledged, terminated] = (ended.reports.at(-2) as string).split(' ').map(Number) as [number, number, number, number]
  t.log(`${terminated} of ${ROUNDS * 4} terminated, ${acknowledged} acknowledged commits`)
  t.true(terminated > ROUNDS * 2)
  t.true(acknowledged > ROUNDS * 20)
})

test.serial('a worker that ends with a transaction open has written nothing and gives the gate back', async (t) => {
  const path = temporaryFolder(t)
  const ended = await runChild(SCENES, { args: ['open-transaction', path] })
  t.deepEqual([ended.code, ended.stderr], [0, ''])
  t.deepEqual(ended.reports, [...Array.from({ length: 3 }, () => 'open with the next id 1'), 'gate is free'])
  const store = await open(path)
  t.deepEqual(store.state.range().toArray(), [['main', 1]])
  t.is(store.nextEventId, 1)
  await store.close()
})

test.serial('two workers on one path share a store', async (t) => {
  const path = temporaryFolder(t)
  const ended = await runChild(SCENES, { args: ['two-workers', path] })
  t.deepEqual([ended.code, ended.stderr], [0, ''])
  const ids = ended.reports.filter((line) => line.startsWith('store ')).map((line) => line.split(' ')[1])
  t.is(ids.length, 2)
  t.is(ids[0], ids[1])
  t.true(ended.reports.includes('the second sees what the first wrote'))
  const store = await open<Happened>(path)
  t.is(store.nextEventId, 401)
  t.deepEqual(store.state.range().toArray(), [
    ['first', 200],
    ['second', 200],
  ])
  await store.close()
})

test.serial('process.exit() hands over what stores have applied that only workers opened', async (t) => {
  const path = temporaryFolder(t)
  const ended = await runChild(SCENES, { args: ['workers-only-exit', path] })
  t.deepEqual([ended.code, ended.stderr], [0, ''])
  t.deepEqual(ended.reports, ['applied 500'])
  const store = await open<Happened>(path)
  t.is(store.nextEventId, 501)
  t.is(store.state.get('worker'), 500)
  await store.close()
})

test.serial('a worker that is done closes its handle', async (t) => {
  const path = temporaryFolder(t)
  const ended = await runChild(SCENES, { args: ['unclosed-worker', path] })
  t.deepEqual([ended.code, ended.stderr, ended.reports.at(-1)], [0, '', 'closed by the end of the worker'])
})

test.serial('a worker that has nothing left to do ends, and its commits are durable by then', async (t) => {
  const path = temporaryFolder(t)
  const ended = await runChild(SCENES, { args: ['worker-ends', path] })
  t.deepEqual([ended.code, ended.stderr, ended.reports.at(-1)], [0, '', 'all there'])
})
