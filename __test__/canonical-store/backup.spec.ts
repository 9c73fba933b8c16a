// Backups and restores as their users see them: what comes back is what was there, also beside writers; a call that is cancelled leaves nothing behind. The format, hostile
// backups and power cuts are in crates/canonical-store.
import { AsyncLocalStorage } from 'node:async_hooks'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { binary, type CanonicalStore, type Progress, restore, utf8 } from '../../src/index.ts'
import { verifyClosed } from '../../src/canonical-store/verification.ts'
import { FileSnapshotSet } from '../../src/snapshot-set/index.ts'
import { errorOf, expectError } from '../errors/expect-error.ts'
import { codeOf, openStore } from '../support/store.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { startWorker, told } from '../support/workers.ts'

const SMALL = { flush: { bytes: 64 * 1024, intervalMs: 20 }, segmentBytes: 64 * 1024 }

interface Places {
  readonly path: string
  readonly backups: string
  readonly restored: string
}

function places(t: Parameters<typeof temporaryFolder>[0]): Places {
  const folder = temporaryFolder(t)
  return { path: join(folder, 'store'), backups: join(folder, 'back ups'), restored: join(folder, 'deep', 'er', 'restored') }
}

/** Everything that can be read, but for the store's id. */
function contents(store: CanonicalStore): unknown {
  const collections = store.collections().map((name) => {
    if (name !== 'bytes') return [name, store.collection(name).range().toArray()]
    const bytes = store.collection(name, { key: binary(), value: binary() })
    return [name, bytes.range().toArray()]
  })
  const { createdAt, nextEventId } = store.meta()
  const events = [...store.events()].map(({ id, timestamp, event }) => [id, timestamp, event])
  return { collections, events, createdAt, nextEventId, oldest: store.oldestEventId }
}

async function fill(store: CanonicalStore, count: number): Promise<void> {
  const bytes = store.collection('bytes', { key: binary(), value: binary() })
  const texts = store.collection('texts', { key: utf8() })
  for (let n = 0; n < count; n++) {
    store.apply((tx) => {
      tx.put(store.state, `key ${n % 1000}`, { n, text: 'x'.repeat(n % 200) })
      tx.put(bytes, Buffer.from([n >> 8, n & 0xff, 0, 0xff]), Buffer.alloc(n % 300, n))
      if (n % 3 === 0) tx.delete(texts, `gone ${n - 3}`)
      tx.put(texts, n % 3 === 0 ? `gone ${n}` : `text ${n}`, n)
      tx.append({ n })
    })
    if (n % 500 === 0) await store.sync()
  }
}

test('a restored store has everything that was applied before the call, and goes on by itself', async (t) => {
  const { path, backups, restored } = places(t)
  const store = await openStore(t, SMALL, path)
  await fill(store, 3000)
  await store.dropCollection('texts')
  await store.trimEvents({ before: 100 })
  store.apply((tx) => tx.put(store.state, 'last', 'applied and awaited by nobody'))
  const expected = contents(store)
  const { seq } = await store.state.put('last', 'applied and awaited by nobody')
  const info = await store.backupTo(pathToFileURL(backups), { shards: 3 })
  t.like(info, { kind: 'full', ordinal: 1, seq, nextEventId: 3001, events: 2901 })
  t.is(
    info.bytes,
    info.files.reduce((sum, file) => sum + statSync(file).size, 0),
  )
  t.true(info.files.every((file) => /^snapshot_1_\d+-of-\d+_full\.bin$/.test(basename(file))))
  t.true(info.durationMs > 0)
  await store.state.put('later', 'not in the backup')
  const back = await restore(backups, restored)
  const { storeId, ...rest } = back
  t.deepEqual(rest, {
    sourceStoreId: store.meta().storeId,
    seq,
    nextEventId: 3001,
    entries: info.entries,
    events: info.events,
    bytes: info.bytes,
  })
  const copy = await openStore(t, SMALL, restored)
  t.is(copy.meta().storeId, storeId)
  t.not(storeId, store.meta().storeId)
  t.deepEqual(contents(copy), expected)
  t.is(copy.stats().recovery.frames, 0)
  const { seq: next } = await copy.state.put('on', 1, { durability: 'durable' })
  t.is(next, seq + 1)
  t.is((await copy.append({ n: 'on' })).firstEventId, 3001)
  await copy.close()
  t.like(await verifyClosed(restored), { ok: true })
  t.deepEqual(readdirSync(join(restored, '..')), ['restored'])
})

test('a sealed and paused store is backed up; what is restored is neither', async (t) => {
  const { path, backups, restored } = places(t)
  const store = await openStore(t, undefined, path)
  await store.append({ n: 1 })
  await store.seal()
  const pause = await store.pauseIngestion()
  await store.backupTo(backups)
  pause.release()
  mkdirSync(restored, { recursive: true }) // an empty folder will do
  await restore(backups, restored)
  const copy = await openStore(t, undefined, restored)
  t.is(copy.meta().sealedEventId, undefined)
  t.is((await copy.append({ n: 2 })).firstEventId, 2)
})

test('backups are snapshots of a set: so many stay as are wanted, and other files are left alone', async (t) => {
  const { path, backups, restored } = places(t)
  const store = await openStore(t, undefined, path)
  mkdirSync(backups)
  writeFileSync(join(backups, 'notes.txt'), 'mine')
  for (let n = 1; n <= 5; n++) {
    await store.state.put('n', n)
    t.is((await store.backupTo(backups, { keepFull: 2 })).ordinal, n)
  }
  const set = await FileSnapshotSet.open(backups)
  const { snapshots, foreign } = set.list()
  t.deepEqual(
    snapshots.map(({ type, ordinal }) => `${ordinal} ${type}`),
    ['4 full', '5 full'],
  )
  t.deepEqual([foreign, readFileSync(join(backups, 'notes.txt'), 'utf8')], [['BACKUPS', 'notes.txt'], 'mine'])
  t.is(await codeOf(() => store.backupTo(backups)), 'ERR_LOCKED')
  t.is((await restore(backups, restored)).seq, 5, 'reading needs no lock')
  await set.close()
  const [first, second] = [store.backupTo(backups), codeOf(() => store.backupTo(backups))]
  t.true([undefined, 'ERR_LOCKED'].includes((await second) as string | undefined))
  await first.catch((error: { code?: string }) => t.is(error.code, 'ERR_LOCKED'))
})

test('progress is told in phases, in the context of the caller, and what it throws ends the work', async (t) => {
  const { path, backups, restored } = places(t)
  const store = await openStore(t, SMALL, path)
  await fill(store, 1000)
  const context = new AsyncLocalStorage<string>()
  const seen: Progress[] = []
  const onProgress = (progress: Progress): void => {
    t.is(context.getStore(), 'mine')
    seen.push(progress)
  }
  await context.run('mine', () => store.backupTo(backups, { onProgress }))
  await context.run('mine', () => restore(backups, restored, { onProgress }))
  t.true(seen.every(({ doneBytes, totalBytes }) => doneBytes >= 0 && doneBytes <= totalBytes))
  const ends = new Set(seen.filter(({ doneBytes, totalBytes }) => doneBytes === totalBytes).map(({ phase }) => phase))
  t.true(ends.has('publishing') && ends.has('building'), JSON.stringify(seen))
  const broken = new Error('mine')
  const throws = (): never => {
    throw broken
  }
  const before = readdirSync(backups).toSorted()
  t.is(await t.throwsAsync(store.backupTo(backups, { onProgress: throws })), broken)
  t.is(await t.throwsAsync(restore(backups, `${restored}2`, { onProgress: throws })), broken)
  // Too late is too late: then it is made, whole.
  if (existsSync(`${restored}2`)) t.like(await verifyClosed(`${restored}2`), { ok: true })
  const after = readdirSync(backups).toSorted()
  t.true(after.length === before.length || after.every((name) => !name.includes('pending')), JSON.stringify(after))
})

test('a signal gives up before, during and never after', async (t) => {
  const { path, backups, restored } = places(t)
  const store = await openStore(t, SMALL, path)
  await fill(store, 500)
  const reason = new Error('enough')
  const aborted = AbortSignal.abort(reason)
  t.is(await t.throwsAsync(store.backupTo(backups, { signal: aborted })), reason)
  t.false(existsSync(backups))
  await store.backupTo(backups)
  t.is(await t.throwsAsync(restore(backups, restored, { signal: aborted })), reason)
  const names = readdirSync(backups)
  for (let turns = 0; turns < 8; turns++) {
    const controller = new AbortController()
    const made = store.backupTo(backups, { signal: controller.signal, keepFull: 1 }).then(
      () => 'made',
      (error: unknown) => error,
    )
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
    controller.abort(reason)
    const outcome = await made
    t.true(outcome === 'made' || outcome === reason, String(outcome))
    t.is(readdirSync(backups).length, names.length)
    t.true(readdirSync(backups).every((name) => !name.includes('pending')))
    const target = `${restored} ${turns}`
    const other = new AbortController()
    const back = restore(backups, target, { signal: other.signal }).then(
      () => 'made',
      (error: unknown) => error,
    )
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
    other.abort(reason)
    const end = await back
    t.is(end === 'made', existsSync(target), String(end))
    t.false(existsSync(`${target}.restoring`))
  }
})

test('a backup ends with its store, and leaves nothing of itself', async (t) => {
  const { path, backups } = places(t)
  const store = await openStore(t, SMALL, path)
  await fill(store, 2000)
  const made = codeOf(() => store.backupTo(backups))
  await store.close()
  const names = existsSync(backups) ? readdirSync(backups) : []
  t.true(
    names.every((name) => !name.includes('pending')),
    `after close() nothing is written any more: ${names.join()}`,
  )
  t.true([undefined, 'ERR_CLOSED'].includes((await made) as string | undefined))
  t.is(await codeOf(() => store.backupTo(backups)), 'ERR_CLOSED')
})

test('a worker that is terminated while it makes backups takes nobody with it', async (t) => {
  const { path, backups, restored } = places(t)
  const store = await openStore(t, SMALL, path)
  await fill(store, 1000)
  await store.backupTo(backups)
  for (let round = 0; round < 4; round++) {
    const worker = startWorker(new URL('backing-up.ts', import.meta.url), { path, backups })
    await told(worker)
    await worker.terminate()
  }
  // Its last backup may still be on its way: it has an end.
  for (;;) {
    const code = await codeOf(() => store.backupTo(backups, { keepFull: 1 }))
    if (code === undefined) break
    t.is(code, 'ERR_LOCKED')
    await new Promise((resolve) => setImmediate(resolve))
  }
  t.true(readdirSync(backups).every((name) => !name.includes('pending')))
  await restore(backups, restored)
  const copy = await openStore(t, SMALL, restored)
  t.deepEqual(contents(copy), contents(store))
})

test('ERR_BACKUP says why in a word, and leaves everything as it is', async (t) => {
  const { path, backups, restored } = places(t)
  const store = await openStore(t, undefined, path)
  await store.state.put('a', 1)
  const refused = async (reason: string, call: () => Promise<unknown>, cause?: string): Promise<void> => {
    expectError(t, await errorOf(call), { code: 'ERR_BACKUP', class: 'BackupError', fields: { reason }, ...(cause === undefined ? {} : { cause }) })
    t.false(existsSync(join(restored, '..')), reason)
  }
  await refused('missing', () => restore(backups, restored), 'ERR_IO')
  t.false(existsSync(backups))
  const info = await store.backupTo(backups)
  await refused('target', () => restore(backups, path))
  await refused('target', () => restore(backups, join(backups, 'in', 'it')))
  await refused('target', () => restore(backups, join(path, 'state')))
  t.like(await restore(backups, restored, { verifyOnly: true }), { storeId: '', seq: 1, entries: 1 })
  const file = info.files[1] as string
  const bytes = readFileSync(file)
  bytes[60] = (bytes[60] as number) ^ 1
  writeFileSync(file, bytes)
  await refused('checksum', () => restore(backups, restored))
  await refused('checksum', () => restore(backups, restored, { verifyOnly: true }))
  const theirs = join(backups, '..', 'theirs')
  const set = await FileSnapshotSet.open(theirs)
  const pending = await set.createOrGetSnapshot('pending', 1, false)
  writeFileSync(pending.shardPaths[0] as string, 'mine')
  await set.close()
  await refused('format', () => store.backupTo(theirs))
  t.is(readFileSync(pending.shardPaths[0] as string, 'utf8'), 'mine')
  const other = await openStore(t)
  await refused('other-store', () => other.backupTo(backups))
})

test('a call that is wrong is refused before anything is made', async (t) => {
  const { path, backups, restored } = places(t)
  const store = await openStore(t, undefined, path)
  symlinkSync(path, `${path} link`)
  const calls: readonly [argument: string, call: () => Promise<unknown>][] = [
    ['dir', () => store.backupTo(path)],
    ['dir', () => store.backupTo(join(path, 'a', 'b'))],
    ['dir', () => store.backupTo(join(`${path} link`, 'a'))],
    ['dir', () => store.backupTo('')],
    ['dir', () => store.backupTo(undefined as never)],
    ['shards', () => store.backupTo(backups, { shards: 0 })],
    ['shards', () => store.backupTo(backups, { shards: 1025 })],
    ['keepFull', () => store.backupTo(backups, { keepFull: 0 })],
    ['kind', () => store.backupTo(backups, { kind: 'diff' } as never)],
    ['onProgress', () => store.backupTo(backups, { onProgress: 5 as never })],
    ['signal', () => store.backupTo(backups, { signal: {} as never })],
    ['from', () => restore(5 as never, restored)],
    ['to', () => restore(backups, '')],
    ['upTo', () => restore(backups, restored, { upTo: 5 } as never)],
    ['verifyOnly', () => restore(backups, restored, { verifyOnly: 'yes' as never })],
  ]
  for (const [argument, call] of calls) t.like(await errorOf(call), { code: 'ERR_INVALID_ARGUMENT', argument })
  t.false(existsSync(backups) || existsSync(join(path, 'a')))
})
