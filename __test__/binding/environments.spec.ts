// Several JavaScript environments on one store. What goes wrong elsewhere: workers that are terminated while they write abort or hang the
// process; a threadsafe function is used after its environment is gone; only the first environment gets its hook; the process exits with
// promises pending, or does not exit at all.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { TYPESCRIPT } from '../support/typescript.ts'
import { ended, startWorker } from '../support/workers.ts'
import { FAILED, cold, commit, error, getText, hot, onWake, openIn, reached, writeSet } from './raw.ts'
import { type ColdCalls, joinThread } from '../../src/native/binding.ts'
import { Environment } from '../../src/native/environment.ts'
import type { Task, Word } from './worker.ts'

const WORKER = new URL('./worker.ts', import.meta.url)

interface Started extends Worker {
  word(name: string): Promise<Word>
  ended: Promise<number>
}

function start(t: ExecutionContext, name: Task['name'], path: string): Started {
  const worker = startWorker(WORKER, { name, path } satisfies Task)
  const words: Word[] = []
  const waiting = new Set<() => void>()
  let failure: unknown
  worker.on('message', (word: Word) => {
    words.push(word)
    for (const look of waiting) look()
  })
  worker.on('error', (thrown) => (failure = thrown))
  worker.once('exit', (code) => {
    failure ??= new Error(`the worker ended with ${code}`)
    for (const look of waiting) look()
  })
  t.teardown(() => worker.terminate())
  const word = (wanted: string): Promise<Word> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = words.find((said) => said.name === wanted)
        if (found === undefined && failure === undefined) return
        waiting.delete(look)
        if (found === undefined) reject(failure)
        else resolve(found)
      }
      waiting.add(look)
      look()
    })
  return Object.assign(worker, { word, ended: ended(worker) })
}

test('two environments that open one path have one store', async (t) => {
  const { store, path } = await openIn(t)
  commit(store, { put: 'main', value: 'was here' })
  const worker = start(t, 'once', path)
  t.like(await worker.word('durable'), { seq: 2, seen: 'was here' })
  t.is(getText(store, 'from'), 'worker')
  const again = await cold.openStore(path, { create: false, eventCodec: 'binary' })
  t.like(await worker.word('open'), { storeKey: again.storeKey })
  await cold.closeStore(again.store)
  await worker.ended
})

test.serial('what a worker has applied is durable when it ends, though nobody waited and nobody closed', async (t) => {
  const { store, path } = await openIn(t)
  const worker = start(t, 'forget', path)
  const { seq } = await worker.word('applied')
  t.is(await worker.ended, 0)
  const marks = new Float64Array(8)
  hot.poll(store, marks)
  t.true((marks[2] as number) >= (seq as number), 'it stayed alive until then')
  t.is(getText(store, 'forgotten'), 'yes')
})

test('a group that nobody of an environment waits for does not wake it', async (t) => {
  const { store, path } = await openIn(t)
  const worker = start(t, 'counts', path)
  await worker.word('counting')
  for (let i = 0; i < 20; i++) await reached(store, 2, commit(store, { event: `group ${i}` }).seq)
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  worker.postMessage('answer')
  t.like(await worker.word('counted'), { wakes: 0, counted: 0 })
})

test.serial('everything that a turn starts is settled by one wake', async (t) => {
  const { store } = await openIn(t, { inlineFlush: false })
  await reached(store, 3, commit(store, { event: 'first' }).seq)
  const before = cold.counters()
  let last = 0
  for (let i = 0; i < 256; i++) last = commit(store, { event: `event ${i}` }).seq
  await reached(store, 2, last)
  await nextTurn()
  const after = cold.counters()
  t.is(after.commit - before.commit, 256)
  t.true(after.wakes - before.wakes <= 2, `${after.wakes - before.wakes} wakes: what was armed before the wish may be a group of its own`)
})

test.serial('a wake is told once: nobody waits, nobody is woken again', async (t) => {
  const { store } = await openIn(t)
  let wakes = 0
  t.teardown(onWake(() => wakes++))
  await reached(store, 3, commit(store, { event: 'one' }).seq)
  await sleep(50)
  const heard = wakes
  const other = await openIn(t)
  await cold.closeStore(other.store)
  await sleep(50)
  t.is(wakes, heard)
})

test('every level is reached, also when it was wished for too late', async (t) => {
  const { store } = await openIn(t)
  for (const level of [1, 2, 3] as const) {
    const { seq } = commit(store, { event: `level ${level}` })
    const marks = await reached(store, level, seq)
    t.true((marks[level] as number) >= seq)
    await reached(store, level, seq)
    await reached(store, level, 1)
  }
})

test('a lone waiter is answered by its own call or by a wake, and by nothing else', async (t) => {
  const { store } = await openIn(t)
  for (let i = 0; i < 200; i++) {
    const { seq } = commit(store, { event: `lone ${i}` })
    const mark = hot.want(store, 0, seq, 0, 0, 1)
    t.not(mark, FAILED)
    if (mark < seq) await reached(store, 2, seq)
  }
  const stats = cold.storeStats(store) as { levels: { durable: number } }
  t.true(stats.levels.durable >= 200)
})

test('what still waits is served while the store closes', async (t) => {
  const { store } = await openIn(t)
  const { seq } = commit(store, { event: 'last' })
  const closing = cold.closeStore(store)
  t.not(hot.poll(store, new Float64Array(8)), FAILED, 'as long as it closes, it answers')
  const heard = await Promise.race([reached(store, 2, seq), closing.then(() => 'its end')])
  // The last wake and the end come in two ways, and either may be first. Both serve every waiter.
  t.true(heard === 'its end' || (heard as Float64Array)[2] === seq, String(heard))
  await closing
})

test('workers terminated while they commit leave a store that works', async (t) => {
  const { store, path } = await openIn(t)
  for (let round = 0; round < 12; round++) {
    const workers = (['commits', 'floods', 'reads'] as const).map((name) => start(t, name, path))
    await Promise.all(workers.map((worker) => worker.word('open')))
    await sleep(round % 12)
    await Promise.all(workers.map((worker) => worker.terminate()))
    const { seq } = commit(store, { put: 'round', value: String(round) })
    await reached(store, 2, seq)
    t.is(getText(store, 'round'), String(round))
  }
  const { readers } = cold.storeStats(store) as { readers: { snapshots: number } }
  t.is(readers.snapshots, 0, 'their snapshots were released')
})

test('getMany answers from one point in time while another thread writes', async (t) => {
  const { store, path } = await openIn(t)
  const worker = start(t, 'pairs', path)
  await worker.word('open')
  const keys = Buffer.from('\x04\0\0\0left\x05\0\0\0right\0\0\0', 'latin1')
  const pool = Buffer.alloc(64)
  const seen = new Set<string>()
  while (seen.size < 200) {
    if (hot.getMany(store, 0, keys, 0, keys.length, pool) !== 2) t.fail(error().message)
    const length = pool.readUInt32LE(0)
    if (length === 0xffffffff) continue
    const left = pool.toString('latin1', 4, 4 + length)
    const right = (4 + length + 3) & ~3
    if (pool.toString('latin1', right + 4, right + 4 + pool.readUInt32LE(right)) !== left) t.fail('a torn pair')
    seen.add(left)
  }
  await worker.terminate()
  t.pass()
})

test('a worker terminated before its store is open leaves no handle behind', async (t) => {
  const { store, path } = await openIn(t)
  for (let round = 0; round < 12; round++) {
    const worker = start(t, 'opens', path)
    await worker.word('opening')
    await sleep(round % 6)
    await worker.terminate()
  }
  await cold.closeStore(store)
  // The last handle is closed: nobody in this process holds the folder, so other options are no contradiction.
  const { store: again, limits } = await cold.openStore(path, { create: false, eventCodec: 'binary', keyBytes: 77 })
  t.is(limits.keyBytes, 77)
  await cold.closeStore(again)
})

test('the gate of a worker that ends goes to whoever waits for it', async (t) => {
  const { store, path } = await openIn(t)
  for (let round = 0; round < 5; round++) {
    const worker = start(t, 'holdsGate', path)
    await worker.word('holding')
    void worker.terminate() // this thread blocks in the next call: only the worker's own hook can give the gate back
    const set = writeSet({ put: 'round', value: String(round) })
    if (hot.commit(store, set, set.length, 0) === FAILED) t.fail(error().message)
    await worker.ended
  }
  t.is(getText(store, 'round'), '4')
})

for (const [ending, expected] of [
  ['idle', 'an open store that is idle lets the process exit'],
  ['busy', 'a commit that nobody awaits keeps the process until it is durable'],
  ['exit', 'process.exit() hands over what is applied'],
  ['atexit', 'process.exit() hands over what is applied, also when no listener does'],
  ['throw', 'an uncaught exception hands over what is applied'],
  ['workerExit', 'process.exit() while a worker writes ends the process'],
] as const) {
  test(expected, async (t) => {
    const { path, store } = await openIn(t)
    await cold.closeStore(store)
    const child = spawn(process.execPath, [...TYPESCRIPT, fileURLToPath(new URL('./ending.ts', import.meta.url)), ending, path], { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.stderr.resume()
    const hung = setTimeout(() => child.kill('SIGKILL'), 300_000)
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
    clearTimeout(hung)
    t.is(signal, null)
    t.is(code, ending === 'throw' ? 1 : 0)
    const again = await cold.openStore(path, { create: false, eventCodec: 'binary' })
    t.teardown(() => cold.closeStore(again.store))
    const applied = Math.max(0, ...Array.from(output.matchAll(/applied (\d+)/g), ([, seq]) => Number(seq)))
    t.is(applied > 0, ending !== 'idle')
    t.true(cold.nextEventId(again.store) > applied)
    if (ending === 'busy') t.regex(output, /durable at exit/)
    if (ending === 'exit' || ending === 'throw') t.regex(output, /applied 101 and written/)
  })
}

test('where native memory is copied instead of shared nothing is opened', (t) => {
  const copies = { hotCalls: () => ({}), callMemory: () => new Uint8Array(64), threadHome: () => ({}) } as unknown as ColdCalls
  t.throws(() => new Environment(joinThread(copies)), { code: 'ERR_NATIVE_MISSING', message: /reason=unsupported-runtime/ })
})
