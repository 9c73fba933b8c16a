// What a snapshot set does, as its users see it: one claim per test. The steps that power cuts and failing calls interrupt are in crates/snapshot-set/tests.
import { appendFileSync, existsSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { FileSnapshotSet } from '../../src/snapshot-set/index.ts'
import { errorOf, expectError } from '../errors/expect-error.ts'
import { contentOf, fill, holds, openSet, publish, setPath, short } from './set-folder.ts'

test('a pending snapshot becomes a full one, and is restored with every later diff', async (t) => {
  const path = setPath(t)
  const set = await openSet(t, path)
  t.deepEqual(set.snapshotsToRestore(), [])
  t.deepEqual(set.list(), { snapshots: [], foreign: [] })
  await set.createOrGetSnapshot('diff', 1, false)
  const pending = await set.createOrGetSnapshot('pending', 2, false)
  t.deepEqual(pending, { type: 'pending', ordinal: 2, shardPaths: [0, 1].map((shard) => join(path, `snapshot_2_${shard}-of-2_pending.bin`)) })
  fill(pending)
  const diff = await set.createOrGetSnapshot('diff', 1, true)
  appendFileSync(diff.shardPaths[0] as string, 'change')
  t.deepEqual(short(set.snapshotsToRestore()), ['1 diff', '3 diff'])
  const full = await set.publishCompletedSnapshot(2)
  t.deepEqual(full, { type: 'full', ordinal: 2, shardPaths: [0, 1].map((shard) => join(path, `snapshot_2_${shard}-of-2_full.bin`)) })
  t.true(holds(full))
  t.deepEqual(set.snapshotsToRestore(), [full, diff])
  t.deepEqual(short(set.list().snapshots), ['1 diff', '2 full', '3 diff'])
  await set.close()
  const again = await openSet(t, path)
  t.deepEqual(again.snapshotsToRestore(), [full, diff])
  t.is(readFileSync(diff.shardPaths[0] as string, 'utf8'), 'change')
})

// Elsewhere shards were sorted as text, 10 before 2: 1,860 of 4,000 keys were stale with 16 shards.
test('snapshots and shards are in the order of their numbers', async (t) => {
  const set = await openSet(t)
  for (let n = 1; n <= 12; n++) await set.createOrGetSnapshot('diff', 16, false)
  const chain = set.snapshotsToRestore()
  t.deepEqual(
    chain.map(({ ordinal }) => ordinal),
    Array.from({ length: 12 }, (_, i) => i + 1),
  )
  for (const { ordinal, shardPaths } of chain)
    t.deepEqual(
      shardPaths.map((path) => basename(path)),
      Array.from({ length: 16 }, (_, shard) => `snapshot_${ordinal}_${shard}-of-16_diff.bin`),
    )
})

test('what was obsolete goes with a publication that asks for it, and by pruning', async (t) => {
  const path = setPath(t)
  const set = await openSet(t, path)
  for (const type of ['diff', 'pending'] as const) await set.createOrGetSnapshot(type, 3, false)
  await publish(set, 2, { purgeObsoleteDiffs: true })
  t.deepEqual(short(set.list().snapshots), ['2 pending', '3 full'])
  await publish(set, 1, { purgeObsoletePendings: true })
  await publish(set, 1)
  await set.createOrGetSnapshot('pending', 1, false)
  t.deepEqual(short(set.list().snapshots), ['3 full', '4 full', '5 full', '6 pending'])
  t.deepEqual(short(await set.prune({ keepFull: 2, pendings: true })), ['3 full'], 'a pending one of this opening may be being written')
  t.deepEqual(await set.prune({}), [])
  await set.close()
  const again = await openSet(t, path)
  t.deepEqual(short(await again.prune({ keepFull: 1, pendings: true })), ['4 full', '6 pending'])
  t.deepEqual(
    readdirSync(path).filter((name) => name.startsWith('snapshot_')),
    ['snapshot_5_0-of-1_full.bin'],
  )
  t.is((await again.createOrGetSnapshot('diff', 1, false)).ordinal, 7, 'no number is given twice')
})

test("a folder may be a URL, is made with its parents, and files are the owner's alone", async (t) => {
  const path = join(setPath(t), 'a', 'b')
  const set = await FileSnapshotSet.open(pathToFileURL(path))
  t.teardown(() => set.close())
  t.is(set.path, path)
  const full = await publish(set, 1)
  if (process.platform !== 'win32') {
    t.is(statSync(path).mode & 0o777, 0o700)
    t.is(statSync(full.shardPaths[0] as string).mode & 0o777, 0o600)
    t.is(statSync(join(path, 'MANIFEST')).mode & 0o777, 0o600)
  }
})

test('calls are carried out in their order, however many wait', async (t) => {
  const set = await openSet(t)
  const made = await Promise.all(Array.from({ length: 60 }, (_, i) => set.createOrGetSnapshot(i % 3 === 0 ? 'pending' : 'diff', 1, false)))
  t.deepEqual(
    made.map(({ ordinal }) => ordinal),
    Array.from({ length: 60 }, (_, i) => i + 1),
  )
  const waiting = Promise.allSettled([set.createOrGetSnapshot('diff', 1, false), set.prune({ pendings: true }), set.createOrGetSnapshot('diff', 1, false)])
  await set.close()
  t.true((await waiting).every((outcome) => outcome.status === 'fulfilled' || outcome.reason.code === 'ERR_CLOSED'))
  t.is((await waiting)[2]?.status, 'rejected')
})

test('wrong arguments are refused before anything happens', async (t) => {
  const path = setPath(t)
  const set = await openSet(t, path)
  const call = set as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
  for (const [argument, method, ...args] of [
    ['type', 'createOrGetSnapshot', 'full', 1, false],
    ['type', 'createOrGetSnapshot', undefined, 1, false],
    ['shardCount', 'createOrGetSnapshot', 'diff', 0, false],
    ['shardCount', 'createOrGetSnapshot', 'diff', 1.5, false],
    ['shardCount', 'createOrGetSnapshot', 'diff', undefined, false],
    ['mayAppendExisting', 'createOrGetSnapshot', 'diff', 1],
    ['mayAppendExisting', 'createOrGetSnapshot', 'diff', 1, 'yes'],
    ['ordinal', 'publishCompletedSnapshot', '1'],
    ['ordinal', 'publishCompletedSnapshot', -1],
    ['ordinal', 'publishCompletedSnapshot'],
    ['purge', 'publishCompletedSnapshot', 1, { purge: true }],
    ['purgeObsoleteDiffs', 'publishCompletedSnapshot', 1, { purgeObsoleteDiffs: 1 }],
    ['keepFull', 'prune', { keepFull: 0 }],
    ['keep', 'prune', { keep: 1 }],
    ['options', 'prune', null],
  ] as const) {
    const error = await errorOf(() => call[method]?.(...args))
    expectError(t, error, { code: 'ERR_INVALID_ARGUMENT', class: 'InvalidArgumentError', fields: { argument } })
  }
  const open = (...args: unknown[]): Promise<unknown> => (FileSnapshotSet as unknown as { open(...args: unknown[]): Promise<unknown> }).open(...args)
  for (const [argument, ...args] of [
    ['folder', ''],
    ['folder', 5],
    ['verify', path, { verify: true }],
    ['create', path, { create: true }],
  ] as const) {
    expectError(t, await errorOf(() => open(...args)), { code: 'ERR_INVALID_ARGUMENT', class: 'InvalidArgumentError', fields: { argument } })
  }
  expectError(t, await errorOf(() => set.createOrGetSnapshot('diff', 4_097, false)), {
    code: 'ERR_LIMIT',
    class: 'LimitError',
    fields: { limit: 'shardCount', size: 4_097, max: 4_096 },
  })
  t.deepEqual(
    readdirSync(path).filter((name) => !name.startsWith('LOCK')),
    [],
  )
})

test('an unknown ordinal and one that is not pending', async (t) => {
  const set = await openSet(t)
  await set.createOrGetSnapshot('diff', 1, false)
  for (const ordinal of [0, 2, Number.MAX_SAFE_INTEGER])
    expectError(t, await errorOf(() => set.publishCompletedSnapshot(ordinal)), { code: 'ERR_NOT_FOUND', class: 'LedgerstoneError', fields: { ordinal } })
  const full = await publish(set, 1)
  for (const ordinal of [1, full.ordinal])
    expectError(t, await errorOf(() => set.publishCompletedSnapshot(ordinal)), {
      code: 'ERR_INVALID_ARGUMENT',
      class: 'InvalidArgumentError',
      fields: { argument: 'ordinal' },
    })
})

test('use after the end', async (t) => {
  const set = await openSet(t)
  await set.close()
  await set.close()
  await set[Symbol.asyncDispose]()
  const calls = [
    () => set.list(),
    () => set.snapshotsToRestore(),
    () => set.path,
    () => set.recovery,
    () => set.createOrGetSnapshot('diff', 1, false),
    () => set.publishCompletedSnapshot(1),
    () => set.prune({}),
  ]
  for (const call of calls) expectError(t, await errorOf(call), { code: 'ERR_CLOSED', class: 'ClosedError', fields: {} })
})

test('a damaged full snapshot falls back to the one before it with its diffs, and says so', async (t) => {
  const path = setPath(t)
  const set = await openSet(t, path)
  await publish(set, 2)
  await set.createOrGetSnapshot('diff', 1, false)
  const newest = await publish(set, 2)
  await set.createOrGetSnapshot('diff', 1, false)
  await set.close()
  const damaged = newest.shardPaths[1] as string
  const bytes = readFileSync(damaged)
  const warnings: string[] = []
  const listen = (warning: Error & { code?: string }): void => {
    if (warning.message.includes(damaged)) warnings.push(warning.code ?? '')
  }
  process.on('warning', listen)
  t.teardown(() => process.off('warning', listen))
  const flipped = Buffer.from(bytes)
  flipped[7] = (flipped[7] as number) ^ 1
  for (const [how, damage] of Object.entries({
    flipped: () => writeFileSync(damaged, flipped),
    cut: () => truncateSync(damaged, bytes.length - 1),
    missing: () => rmSync(damaged),
  })) {
    damage()
    const again = await FileSnapshotSet.open(path)
    t.deepEqual(short(again.snapshotsToRestore()), ['1 full', '2 diff', '4 diff'], how)
    t.deepEqual(
      again.recovery.damaged.map(({ ordinal, type, file }) => [ordinal, type, file]),
      [[3, 'full', damaged]],
      how,
    )
    t.regex(again.recovery.damaged[0]?.message ?? '', /^a shard is /, how)
    t.deepEqual(short(await again.prune({ keepFull: 2 })), [], 'one that does not hold is none of those kept')
    await again.close()
    writeFileSync(damaged, bytes)
  }
  await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(warnings, Array(3).fill('LEDGERSTONE_SNAPSHOT_DAMAGED'))
  const whole = await openSet(t, path)
  t.deepEqual(short(whole.snapshotsToRestore()), ['3 full', '4 diff'])
})

test('a chain with a gap is refused, with the file that is damaged', async (t) => {
  const path = setPath(t)
  const set = await openSet(t, path)
  await publish(set, 1)
  await set.createOrGetSnapshot('diff', 1, false)
  const newest = await publish(set, 1, { purgeObsoleteDiffs: true })
  await set.close()
  const [file] = newest.shardPaths as [string]
  appendFileSync(file, 'more')
  const again = await openSet(t, path)
  expectError(t, await errorOf(() => again.snapshotsToRestore()), { code: 'ERR_CORRUPT', class: 'CorruptionError', fields: { file, offset: 0 } })
  t.deepEqual(short(again.list().snapshots), ['1 full', '3 full'], 'both are there to be looked at')
  await publish(again, 1)
  t.deepEqual(short(again.snapshotsToRestore()), ['4 full'])
})

test('with `lengths` nothing is read at the opening', async (t) => {
  const path = setPath(t)
  const set = await openSet(t, path)
  const { shardPaths } = await publish(set, 1)
  await set.close()
  writeFileSync(shardPaths[0] as string, Buffer.alloc(contentOf(1, 0).length, 'x'))
  const quick = await FileSnapshotSet.open(path, { verify: 'lengths' })
  t.deepEqual(short(quick.snapshotsToRestore()), ['1 full'])
  await quick.close()
  const thorough = await openSet(t, path)
  t.is((await errorOf(() => thorough.snapshotsToRestore())).code, 'ERR_CORRUPT')
})

test('a pending snapshot without all of its files is not published', async (t) => {
  const set = await openSet(t)
  const pending = await set.createOrGetSnapshot('pending', 3, false)
  fill(pending)
  rmSync(pending.shardPaths[2] as string)
  expectError(t, await errorOf(() => set.publishCompletedSnapshot(1)), {
    code: 'ERR_CORRUPT',
    class: 'CorruptionError',
    fields: { file: pending.shardPaths[2], offset: 0 },
  })
  t.true(existsSync(pending.shardPaths[0] as string))
})
