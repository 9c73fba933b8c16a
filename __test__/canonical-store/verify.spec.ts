// Verification: a sound store has no problems, also while several threads write to it; damage under an open store is reported with its file, place and kind; it
// can be given up, and ends with its handle.
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { type CanonicalStore, utf8, type VerifyReport } from '../../src/index.ts'
import { verifyClosed } from '../../src/canonical-store/verification.ts'
import { codeOf, openStore, storePath } from '../support/store.ts'
import { startWorker, told } from '../support/workers.ts'

const EVENTS = 600
const NEVER = { flush: { intervalMs: 3_600_000 }, segmentBytes: 64 * 1024 }

test('a sound store has nothing to tell, and says how much it has looked at', async (t) => {
  const path = storePath(t)
  const store = await openStore(t, NEVER, path)
  t.like(await store.verify(), { ok: true, problems: [], checked: { events: 0 } })
  await fill(store)
  await store.flush()
  await store.state.put('in the journal only', 1, { durability: 'durable' })
  const { ok, problems, checked } = await store.verify()
  t.deepEqual({ ok, problems }, { ok: true, problems: [] })
  t.is(checked.events, EVENTS)
  t.true(checked.entries >= EVENTS, `${checked.entries} entries`)
  t.true(checked.bytes > EVENTS * 300 && checked.files >= 5, JSON.stringify(checked))
  await store.close()
  t.like(await verifyClosed(path), { ok: true, problems: [] })
  const again = await openStore(t, NEVER, path)
  t.like(await again.verify(), { ok: true, problems: [], checked: { events: EVENTS } })
})

test('it finds nothing while this thread and a worker write and flush, and both can ask', async (t) => {
  const store = await openStore(t, { flush: { intervalMs: 5 }, segmentBytes: 64 * 1024 })
  const worker = startWorker(new URL('verifying.ts', import.meta.url), store.path)
  const reports: VerifyReport[] = []
  for (let round = 0; round < 12; round++) {
    const verified = store.verify()
    for (let i = 0; i < 40; i++) {
      await store.transact(
        (tx) => {
          tx.put(store.state, `k${i}`, 'x'.repeat(500))
          tx.append({ round, i, padding: 'y'.repeat(900) })
        },
        { durability: i % 10 === 0 ? 'durable' : 'written' },
      )
    }
    reports.push(await verified)
  }
  reports.push(...((await told(worker)) as VerifyReport[]))
  t.deepEqual(
    reports.flatMap(({ problems }) => problems),
    [],
  )
  t.true(reports.length > 15 && reports.every(({ ok }) => ok))
})

test('bytes that change under an open store are told: events, journal, values, small files', async (t) => {
  const store = await openStore(t, NEVER)
  await fill(store)
  await store.flush()
  for (let i = 0; i < 5; i++) await store.state.put(`later ${i}`, 'in the journal '.repeat(20), { durability: 'durable' })
  const places = {
    segment: place(store, 'events', 'an event of commit 300'),
    journal: place(store, 'journal', 'in the journal in'),
    value: place(store, 'state', 'a value of commit 200'),
    identity: { file: join(store.path, 'IDENTITY'), offset: 12 },
  }
  for (const [what, { file, offset }] of Object.entries(places)) {
    const mend = overwrite(file, offset, Buffer.from('\x07garbage'))
    const { ok, problems } = await store.verify()
    t.false(ok, what)
    t.deepEqual(
      problems.map((problem) => [problem.file, problem.kind]),
      [[file, 'checksum']],
      `${what}: ${JSON.stringify(problems)}`,
    )
    const told = problems[0]?.offset ?? -1
    t.true(told >= 0 && told <= offset && offset - told < 70_000, `${what}: damaged at ${offset}, told at ${told}`)
    mend()
    t.like(await store.verify(), { ok: true, problems: [] }, what)
  }
})

test('what is affected is told by event ids and commits', async (t) => {
  const store = await openStore(t, NEVER)
  await fill(store)
  await store.flush()
  const seq = (await store.state.put('last', 'in the journal', { durability: 'durable' })).seq
  const event = place(store, 'events', 'an event of commit 300')
  overwrite(event.file, event.offset, Buffer.from('!'))
  const commit = place(store, 'journal', '"in the journal"')
  overwrite(commit.file, commit.offset, Buffer.from('!'))
  const { problems } = await store.verify()
  const lost = problems.find(({ file }) => file === commit.file)
  t.is(lost?.message, `commits are missing from the journal: first_seq=${seq} last_seq=${seq}`)
  const [, first, last] = /first_event_id=(\d+) last_event_id=(\d+)$/.exec(problems.find(({ file }) => file === event.file)?.message ?? '') ?? []
  t.true(Number(first) <= 300 && Number(last) >= 300 && Number(last) - Number(first) < 400, `${first}..${last}`)
})

test('a file that is gone, cut or foreign is told', async (t) => {
  const store = await openStore(t, NEVER)
  await fill(store)
  await store.flush()
  const [segment] = files(store, 'events') as [string]
  renameSync(segment, `${segment}.aside`)
  t.deepEqual(
    (await store.verify()).problems.map(({ kind, file }) => [kind, file]),
    [['missing', segment]],
  )
  writeFileSync(segment, readFileSync(`${segment}.aside`).subarray(0, 20_000))
  const cut = (await store.verify()).problems
  t.true(cut.length > 0 && cut.every(({ file }) => file === segment), JSON.stringify(cut))
  writeFileSync(segment, 'not a segment of ours '.repeat(9_000))
  t.is((await store.verify()).problems[0]?.file, segment)
  rmSync(segment)
  renameSync(`${segment}.aside`, segment)
  const identity = join(store.path, 'IDENTITY')
  const bytes = readFileSync(identity)
  rmSync(identity)
  t.deepEqual(
    (await store.verify()).problems.map(({ kind, file }) => [kind, file]),
    [['missing', identity]],
  )
  writeFileSync(identity, bytes)
  t.true((await store.verify()).ok)
})

test('what the checkpoint has is not missed in the journal', async (t) => {
  const store = await openStore(t, NEVER)
  await store.state.put('a', 'soon in the state', { durability: 'durable' })
  await store.flush()
  const { file, offset } = place(store, 'journal', 'soon in the state')
  overwrite(file, offset, Buffer.from('!'))
  t.true((await store.verify()).ok)
})

test('a signal gives it up, before and meanwhile, and nothing goes on', async (t) => {
  const store = await openStore(t, NEVER)
  await fill(store)
  const reason = new Error('enough')
  await t.throwsAsync(store.verify({ signal: AbortSignal.abort(reason) }), { is: reason })
  const abort = new AbortController()
  const verified = store.verify({ signal: abort.signal })
  queueMicrotask(() => abort.abort(reason))
  await t.throwsAsync(verified, { is: reason })
  t.true((await store.verify()).ok)
})

test('closing ends it with ERR_CLOSED, another handle of the store goes on', async (t) => {
  const path = storePath(t)
  const [first, second] = [await openStore(t, NEVER, path), await openStore(t, NEVER, path)]
  await fill(first)
  const both = [codeOf(() => first.verify()), second.verify()] as const
  await first.close()
  t.is(await both[0], 'ERR_CLOSED')
  t.true((await both[1]).ok)
  const last = Array.from({ length: 4 }, () => codeOf(() => second.verify()))
  await second.close()
  t.deepEqual(await Promise.all(last), ['ERR_CLOSED', 'ERR_CLOSED', 'ERR_CLOSED', 'ERR_CLOSED'])
  t.is(await codeOf(() => second.verify()), 'ERR_CLOSED')
})

test('arguments are checked', async (t) => {
  const store = await openStore(t)
  t.is(await codeOf(() => store.verify({ signal: 1 as never })), 'ERR_INVALID_ARGUMENT')
  t.is(await codeOf(() => store.verify({ deep: true } as never)), 'ERR_INVALID_ARGUMENT')
})

test('a store that is closed can be looked through without opening it, one that is open or is none cannot', async (t) => {
  const path = storePath(t)
  t.is(await codeOf(() => verifyClosed(path)), 'ERR_NOT_FOUND')
  const store = await openStore(t, NEVER, path)
  await fill(store)
  t.is(await codeOf(() => verifyClosed(path)), 'ERR_LOCKED')
  await store.close()
  const { file, offset } = place(store, 'state', 'a value of commit 200')
  overwrite(file, offset, Buffer.from('!'))
  const clean = join(path, 'CLEAN')
  overwrite(clean, 12, Buffer.from([(readFileSync(clean)[12] as number) ^ 1]))
  const { problems } = await verifyClosed(path)
  t.deepEqual(
    problems.map((problem) => [problem.kind, problem.file]),
    [
      ['checksum', clean],
      ['checksum', file],
    ],
  )
})

/** One event and one value of some size for each commit. */
async function fill(store: CanonicalStore): Promise<void> {
  const text = store.collection('text', { value: utf8() })
  for (let n = 1; n <= EVENTS; n++) {
    store.apply((tx) => {
      tx.put(text, `k${n}`, `a value of commit ${n} `.repeat(8))
      tx.append(`an event of commit ${n} ${Array.from({ length: 40 }, (_, i) => (n * 7919 + i * 104_729).toString(36)).join('')}`)
    })
  }
  await store.sync()
}

function files({ path }: { path: string }, folder: string): string[] {
  return readdirSync(join(path, folder))
    .toSorted()
    .map((name) => join(path, folder, name))
}

/** Where some text stands in the files of a folder. */
function place(store: { path: string }, folder: string, text: string): { file: string; offset: number } {
  for (const file of files(store, folder)) {
    const offset = readFileSync(file).lastIndexOf(text)
    if (offset >= 0) return { file, offset }
  }
  throw new Error(`${text} is nowhere in ${folder}`)
}

/** Writes into a file as it is, and can take that back. */
function overwrite(file: string, offset: number, bytes: Buffer): () => void {
  const before = readFileSync(file).subarray(offset, offset + bytes.length)
  const write = (what: Uint8Array): void => {
    const fd = openSync(file, 'r+')
    if (fstatSync(fd).size < offset + what.length) throw new Error(`${file} is too short`)
    writeSync(fd, what, 0, what.length, offset)
    closeSync(fd)
  }
  write(bytes)
  return () => write(before)
}
