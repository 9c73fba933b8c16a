// Folders that somebody else has a hand in: names that are none of the set's, and links, FIFOs, folders, lying sizes and numbers in the place of its files.
// Nothing of that is followed, waited for, read without a bound, changed or removed. Elsewhere foreign names made the scan panic.
import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, readlinkSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { open } from '../../src/index.ts'
import { EventLog } from '../../src/event-log/index.ts'
import { FileSnapshotSet } from '../../src/snapshot-set/index.ts'
import { errorOf } from '../errors/expect-error.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { openSet, publish, setPath, short } from './set-folder.ts'

const ofUnix = process.platform === 'win32' ? test.skip : test
const FOREIGN = [
  'notes.txt',
  'snapshot_.bin',
  'snapshot_0_0-of-1_full.bin',
  'snapshot_01_0-of-1_full.bin',
  'snapshot_1_1-of-1_full.bin',
  'snapshot_7_0-of-4097_full.bin',
  'snapshot_7_0-of-2_full.bin',
  'snapshot_18446744073709551617_0-of-1_full.bin',
  'snapshot_1_0-of-1_full.bin.tmp',
  'snapshot_1_0-of-1_FULL.bin',
  'LOCK.tmp',
]

test("names that are none of the set's are listed and left alone", async (t) => {
  const path = setPath(t)
  const set = await openSet(t, path)
  await publish(set, 1)
  await set.close()
  for (const name of FOREIGN) writeFileSync(join(path, name), 'mine')
  mkdirSync(join(path, 'folder'))
  const again = await openSet(t, path)
  t.deepEqual(
    again.list().foreign,
    [...FOREIGN, 'folder'].toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  )
  t.deepEqual(short(again.snapshotsToRestore()), ['1 full'])
  await publish(again, 2, { purgeObsoleteDiffs: true, purgeObsoletePendings: true })
  await again.prune({ keepFull: 1, pendings: true })
  for (const name of FOREIGN) t.is(readFileSync(join(path, name), 'utf8'), 'mine')
  t.is(again.list().foreign.length, FOREIGN.length + 1)
})

ofUnix('a name that is not UTF-8 is listed as far as it can be', async (t) => {
  const path = setPath(t)
  mkdirSync(path)
  try {
    writeFileSync(Buffer.concat([Buffer.from(`${path}/snapshot_1_0-of-1_`), Buffer.from([0xff]), Buffer.from('.bin')]), '')
  } catch {
    t.pass('this file system has no such names')
    return
  }
  t.deepEqual((await openSet(t, path)).list().foreign, ['snapshot_1_0-of-1_\ufffd.bin'])
})

ofUnix('what is no regular file is neither followed nor waited for, and stays', async (t) => {
  for (const kind of ['link', 'fifo', 'folder'] as const) {
    const path = setPath(t)
    const set = await openSet(t, path)
    const outside = join(temporaryFolder(t), 'outside')
    writeFileSync(outside, 'precious')
    const put = (path: string): void => {
      rmSync(path, { force: true })
      if (kind === 'link') symlinkSync(outside, path)
      else if (kind === 'fifo') execFileSync('mkfifo', [path])
      else mkdirSync(path)
    }
    const stays = (path: string): boolean =>
      kind === 'link' ? readlinkSync(path) === outside : kind === 'fifo' ? lstatSync(path).isFIFO() : lstatSync(path).isDirectory()

    const pending = await set.createOrGetSnapshot('pending', 2, false)
    put(pending.shardPaths[1] as string)
    t.is((await errorOf(() => set.publishCompletedSnapshot(1))).code, 'ERR_FORMAT', kind)
    const diff = await set.createOrGetSnapshot('diff', 1, false)
    const full = await publish(set, 1)
    put(diff.shardPaths[0] as string)
    await set.close()
    t.deepEqual(
      short(
        await openSet(t, path).then(async (again) => {
          const chain = again.snapshotsToRestore()
          await again.close()
          return chain
        }),
      ),
      ['3 full'],
      kind,
    )
    put(full.shardPaths[0] as string)
    const again = await openSet(t, path)
    t.is((await errorOf(() => again.snapshotsToRestore())).code, 'ERR_CORRUPT', kind)
    await publish(again, 1)
    t.deepEqual(short(await again.prune({ keepFull: 1, pendings: true })), ['1 pending', '2 diff', '3 full'], kind)
    for (const { shardPaths } of [pending, diff, full]) t.true(stays(shardPaths.at(-1) as string), kind)
    t.is(readFileSync(outside, 'utf8'), 'precious')

    for (const name of ['MANIFEST', 'LOCK.owner']) {
      const path = setPath(t)
      mkdirSync(path)
      put(join(path, name))
      const opened = await FileSnapshotSet.open(path).then(
        (opened) => opened.close().then(() => 'opened'),
        (error: { code: string }) => error.code,
      )
      t.is(opened, name === 'MANIFEST' ? 'ERR_FORMAT' : 'opened', `${kind} ${name}`)
      t.true(stays(join(path, name)))
    }
  }
})

test('what is in the way of a new name is not replaced', async (t) => {
  const path = setPath(t)
  const set = await openSet(t, path)
  await set.createOrGetSnapshot('pending', 1, false)
  const full = join(path, 'snapshot_1_0-of-1_full.bin')
  writeFileSync(full, 'mine')
  t.is((await errorOf(() => set.publishCompletedSnapshot(1))).code, 'ERR_FORMAT')
  const diff = join(path, 'snapshot_2_1-of-2_diff.bin')
  writeFileSync(diff, 'mine')
  t.is((await errorOf(() => set.createOrGetSnapshot('diff', 2, false))).code, 'ERR_FORMAT')
  t.deepEqual([readFileSync(full, 'utf8'), readFileSync(diff, 'utf8')], ['mine', 'mine'])
  t.false(existsSync(join(path, 'snapshot_2_0-of-2_diff.bin')))
  rmSync(full)
  t.is((await set.publishCompletedSnapshot(1)).type, 'full')
})

test('a manifest that lies about its size, or is no manifest, is refused and left alone', async (t) => {
  for (const [code, make] of [
    ['ERR_FORMAT', (path: string) => writeFileSync(path, 'a list of things to do')],
    [
      'ERR_FORMAT',
      (path: string) => {
        writeFileSync(path, '')
        truncateSync(path, 2 ** 40)
      },
    ],
    ['ERR_CORRUPT', (path: string) => writeFileSync(path, Buffer.concat([Buffer.from('LGST-SSM'), Buffer.alloc(60, 0xff)]))],
    ['ERR_CORRUPT', (path: string) => writeFileSync(path, '')],
  ] as const) {
    const path = setPath(t)
    mkdirSync(path)
    make(join(path, 'MANIFEST'))
    const before = lstatSync(join(path, 'MANIFEST'))
    t.is((await errorOf(() => FileSnapshotSet.open(path))).code, code)
    const after = lstatSync(join(path, 'MANIFEST'))
    t.deepEqual([after.size, after.mtimeMs, after.ino], [before.size, before.mtimeMs, before.ino])
    t.deepEqual(readdirSync(path), ['MANIFEST'], 'nothing was made')
  }
})

test('the folder of a store or of an event log is none of a set', async (t) => {
  const folder = temporaryFolder(t)
  await (await open(join(folder, 'store'))).close()
  await (await EventLog.open(join(folder, 'log'))).close()
  for (const path of ['store', 'log', 'store/journal', 'store/events', 'store/state']) {
    const before = readdirSync(join(folder, path))
    t.is((await errorOf(() => FileSnapshotSet.open(join(folder, path)))).code, 'ERR_FORMAT', path)
    t.deepEqual(readdirSync(join(folder, path)), before)
  }
  await (await open(join(folder, 'store'), { create: false })).close()
})

// Elsewhere: the folder was replaced while it was open, and what was written went into another one's files.
ofUnix('a folder that is moved away while it is open changes nothing in the one that takes its place', async (t) => {
  const path = setPath(t)
  const set = await openSet(t, path)
  await publish(set, 1)
  const moved = `${path} moved`
  execFileSync('mv', [path, moved])
  mkdirSync(path)
  t.is((await errorOf(() => set.createOrGetSnapshot('diff', 1, false))).code, 'ERR_IO')
  t.is((await errorOf(() => set.prune({ keepFull: 1 }))).code, 'ERR_IO')
  t.deepEqual(readdirSync(path), [])
  await set.close()
  t.deepEqual(short((await openSet(t, moved)).snapshotsToRestore()), ['1 full'])
})

// Bug: a set was lost when a store or an event log was opened in its folder. Mechanism: what is in a folder without an identity was looked at for a store's files and a log's, not for a
// set's; beside the new identity the set was refused. Fix: where a set has its manifest nothing else is made.
test('no store and no event log is made in the folder of a set', async (t) => {
  const path = setPath(t)
  const set = await openSet(t, path)
  await publish(set, 1)
  await set.close()
  const before = readdirSync(path)
  for (const open_ of [() => open(path), () => EventLog.open(path)]) {
    const error = await errorOf(open_)
    t.is(error.code, 'ERR_FORMAT')
    t.regex(error.message, /found a snapshot set/)
  }
  t.deepEqual(readdirSync(path), before)
  t.deepEqual(short((await openSet(t, path)).snapshotsToRestore()), ['1 full'])
})
