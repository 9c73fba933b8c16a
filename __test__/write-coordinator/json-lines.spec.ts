// Lines of JSON in files: what is written can be read again, files rotate, a failed try leaves nothing, nothing that was there is touched.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { jsonLines, type JsonLinesSnapshot, listDelta, type ListDeltaTypes, WriteCoordinator } from '../../src/write-coordinator/index.ts'
import type { LedgerstoneError } from '../../src/index.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

interface Lines extends ListDeltaTypes<unknown> {
  Snapshot: JsonLinesSnapshot | undefined
}
const { signal } = new AbortController()
const ofUnix = process.platform === 'win32' ? test.skip : test

function linesIn(folder: string): unknown[] {
  return readdirSync(folder)
    .toSorted()
    .flatMap((file) =>
      readFileSync(join(folder, file), 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as unknown),
    )
}

test.serial('what is written can be read again, in order, over rotated files and runs', async (t) => {
  const folder = join(temporaryFolder(t), 'a', 'sp äce')
  const items = Array.from({ length: 300 }, (_, n) => ({ n, text: `line ${n}\nä ${'x'.repeat(n % 50)}` }))
  for (const run of [0, 1, 2]) {
    const coordinator = new WriteCoordinator<Lines>({
      init: listDelta(),
      context: undefined,
      snapshot: undefined,
      flusher: jsonLines(pathToFileURL(folder), { maxBytes: 1000 }),
      flush: { writes: 7 },
    })
    for (const item of items.slice(run * 100, run * 100 + 100)) await coordinator.write(item)
    await coordinator.close()
    t.like(coordinator.view().snapshot, { lines: 100, bytes: statSync(coordinator.view().snapshot?.path ?? '').size })
  }
  t.deepEqual(linesIn(folder), items)
  const files = readdirSync(folder).toSorted()
  t.true(files.length > 6, files.join())
  for (const [n, file] of files.entries()) {
    t.regex(file, new RegExp(`^lines-${String(n + 1).padStart(12, '0')}-[0-9a-f]{8}\\.jsonl$`))
    if (process.platform !== 'win32') t.is(statSync(join(folder, file)).mode & 0o777, 0o600)
  }
  if (process.platform !== 'win32') t.is(statSync(folder).mode & 0o777, 0o700)
})

test.serial('a value without a line is refused with where it is, and its delta leaves nothing', async (t) => {
  const folder = temporaryFolder(t)
  const flusher = jsonLines(folder, { maxBytes: 1 << 30 })
  await flusher.flushDelta([1, 2], { start: 1, end: 3 }, { signal })
  const large = Array.from({ length: 30 }, () => 'x'.repeat(100_000)) // some of it is written before the bad one comes
  for (const bad of [undefined, () => 1, 1n]) {
    const error = (await t.throwsAsync(flusher.flushDelta([...large, bad], { start: 3, end: 34 }, { signal }), { code: 'ERR_CODEC' })) as LedgerstoneError
    t.regex(error.message, /item 30 of the delta from epoch 3/)
    t.false(error.retryable)
  }
  await flusher.flushDelta(['good'], { start: 3, end: 4 }, { signal })
  t.deepEqual(linesIn(folder), [1, 2, 'good'])
})

// Kind "input checked instead of output". Bug: an item that was encoded as two lines was counted as one and read as two, and a lone surrogate was stored as
// another character. Mechanism: that `encode` gave a text was all that was looked at. Fix: what it gave has to be one line that UTF-8 can say.
test.serial('an item that is two lines, or that UTF-8 cannot say, is refused', async (t) => {
  const folder = temporaryFolder(t)
  for (const encode of [(item: unknown) => JSON.stringify([item], undefined, 2), () => '"\ud800"']) {
    await t.throwsAsync(jsonLines(folder, { encode }).flushDelta([1], { start: 1, end: 2 }, { signal }), { code: 'ERR_CODEC' })
  }
  t.deepEqual(linesIn(folder), [])
})

test.serial('one that is aborted leaves nothing of its delta', async (t) => {
  const folder = temporaryFolder(t)
  const flusher = jsonLines(folder)
  await flusher.flushDelta([1], { start: 1, end: 2 }, { signal })
  const controller = new AbortController()
  function* items(): Generator<string> {
    for (let n = 0; n < 40; n++) {
      if (n === 30) controller.abort(new Error('enough'))
      yield 'x'.repeat(100_000)
    }
  }
  await t.throwsAsync(flusher.flushDelta(items(), { start: 2, end: 42 }, { signal: controller.signal }), { message: 'enough' })
  t.deepEqual(linesIn(folder), [1])
})

test.serial('a flusher that serves two coordinators at once stores each delta whole', async (t) => {
  const folder = temporaryFolder(t)
  const flusher = jsonLines(folder, { maxBytes: 50_000 })
  const coordinators = [1, 2].map(() => new WriteCoordinator<Lines>({ init: listDelta(), context: undefined, snapshot: undefined, flusher, flush: { writes: 10 } }))
  for (let n = 0; n < 200; n++) for (const [which, coordinator] of coordinators.entries()) await coordinator.write([which, n, 'x'.repeat(500)])
  await Promise.all(coordinators.map((coordinator) => coordinator.close()))
  const lines = linesIn(folder) as [number, number][]
  for (const which of [0, 1])
    t.deepEqual(
      lines.filter(([of]) => of === which).map(([, n]) => n),
      Array.from({ length: 200 }, (_, n) => n),
    )
})

// Kinds "left in place" and "any file in the place of ours".
test.serial('a file that is not as it was left is left alone, and so are links and whatever else is there', async (t) => {
  const folder = temporaryFolder(t)
  const elsewhere = join(folder, 'elsewhere')
  const lines = join(folder, 'lines')
  mkdirSync(lines)
  writeFileSync(join(lines, 'lines-000000000007-other.jsonl'), '"other"\n"torn')
  writeFileSync(join(lines, 'lines-abc.jsonl'), '')
  writeFileSync(elsewhere, 'x')
  const flusher = jsonLines(lines)
  const write = async (item: string): Promise<string> => (await flusher.flushDelta([item], { start: 1, end: 2 }, { signal })).path
  const first = await write('one')
  t.regex(first, /lines-000000000008-/)
  renameSync(first, `${first}.old`)
  symlinkSync(elsewhere, first)
  const second = await write('two')
  t.regex(second, /lines-000000000009-/)
  truncateSync(second, 2)
  const third = await write('three')
  t.regex(third, /lines-000000000010-/)
  t.is(await write('four'), third)
  if (process.platform !== 'win32') {
    renameSync(third, `${third}.old`)
    execFileSync('mkfifo', [third])
    t.regex(await write('five'), /lines-000000000011-/)
    renameSync(`${third}.old`, third)
  }
  t.deepEqual(
    [elsewhere, `${first}.old`, second, third, join(lines, 'lines-000000000007-other.jsonl')].map((path) => readFileSync(path, 'utf8')),
    ['x', '"one"\n', '"t', '"three"\n"four"\n', '"other"\n"torn'],
  )
})

test.serial('a folder that cannot be made is an error with its path', async (t) => {
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, 'file'), '')
  const flusher = jsonLines(join(folder, 'file', 'lines'))
  const error = (await t.throwsAsync(flusher.flushDelta([1], { start: 1, end: 2 }, { signal }), { code: 'ERR_IO' })) as LedgerstoneError & { path: string }
  t.regex(error.path, /file/)
  await flusher.flushStorage({ signal })
})

test.serial('a device without room may be tried again: what the failed try has left is written over', async (t) => {
  const folder = temporaryFolder(t)
  // Replaces `write` of all files of this process, so no other test of this file may run at the same time.
  const probe = await open(join(folder, 'probe'), 'w')
  const prototype = Object.getPrototypeOf(probe) as { write: (...args: unknown[]) => Promise<{ bytesWritten: number }>; truncate: (length: number) => Promise<void> }
  await probe.close()
  const { write, truncate } = prototype
  t.teardown(() => Object.assign(prototype, { write, truncate }))
  let cuts = 0
  prototype.truncate = async function (length) {
    if (cuts++ % 2 === 0) throw new Error('not now') // what is left is cut by the next try
    return truncate.call(this, length)
  }
  let room = 5
  prototype.write = async function (bytes, offset, length, position) {
    if (room === 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', errno: -28, syscall: 'write' })
    const some = Math.min(room, length as number)
    room -= some
    return write.call(this, bytes, offset, some, position)
  }
  const coordinator = new WriteCoordinator<Lines>({
    init: listDelta(),
    context: undefined,
    snapshot: undefined,
    flusher: jsonLines(join(folder, 'lines')),
    retry: { attempts: 50, minDelayMs: 1, maxDelayMs: 2 },
  })
  coordinator.tryWrite('first')
  room = 8
  await coordinator.flush()
  room = 5
  const waiting = coordinator.tryWrite('twelve bytes').wait()
  await new Promise((resolve) => setTimeout(resolve, 10))
  room = Infinity
  await waiting
  await coordinator.close()
  t.deepEqual(linesIn(join(folder, 'lines')), ['first', 'twelve bytes'])
  t.is(readdirSync(join(folder, 'lines')).length, 1)
})

// Bug: files had lines that were no items. Mechanism: what an encoder gave was checked to be a text, not to be a line that comes back as it was. Fix: both are.
test.serial('an encoder that gives more than a line, or half a character, is refused', async (t) => {
  const folder = temporaryFolder(t)
  for (const line of ['{\n}', 'a\n', '"\ud800"']) {
    const flusher = jsonLines<number>(folder, { encode: () => line })
    await t.throwsAsync(flusher.flushDelta([1], { start: 1, end: 2 }, { signal }), { code: 'ERR_CODEC' })
  }
  await jsonLines(folder).flushDelta(['a\nb\ud800'], { start: 1, end: 2 }, { signal }) // escaped
  t.deepEqual(linesIn(folder), ['a\nb\ud800'])
})

// Bug: files no longer sorted in their order. Mechanism: behind the last number of twelve digits came one of thirteen. Fix: there is none behind it.
test.serial('behind the last number there is none', async (t) => {
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, 'lines-999999999998-other.jsonl'), '')
  const write = (flusher = jsonLines(folder)): Promise<JsonLinesSnapshot> => flusher.flushDelta([1], { start: 1, end: 2 }, { signal })
  t.regex((await write()).path, /lines-999999999999-/)
  await t.throwsAsync(write(), { code: 'ERR_LIMIT' })
})

// Bug: each failed try left an open file. Mechanism: what looks at the newest file failed before that was closed. Fix: it is closed unless it is used.
test.serial('a look at the newest file that fails leaves nothing open', async (t) => {
  const flusher = jsonLines(temporaryFolder(t))
  const { path } = await flusher.flushDelta([1], { start: 1, end: 2 }, { signal })
  const file = await open(path)
  const prototype = Object.getPrototypeOf(file) as typeof file
  await file.close()
  // oxlint-disable-next-line typescript/unbound-method -- put back as it was
  const { stat } = prototype
  const looked: (typeof file)[] = []
  Object.assign(prototype, {
    stat(this: typeof file) {
      looked.push(this)
      return Promise.reject(Object.assign(new Error('odd'), { code: 'EIO', syscall: 'fstat' }))
    },
  })
  try {
    await t.throwsAsync(flusher.flushDelta([2], { start: 2, end: 3 }, { signal }), { code: 'ERR_IO' })
  } finally {
    prototype.stat = stat
  }
  t.deepEqual(
    looked.map(({ fd }) => fd),
    [-1],
  )
})

// Bug: a delta that was `durable` was lost with the power, its folder with it. Mechanism: a process had made the folder and died before it flushed the name; the next flushed only names that it
// had made itself. Fix: of the folders that are there the lowest is flushed too.
ofUnix('a folder that was made before is flushed too, and where it may not be read that is no failure', async (t) => {
  const folder = temporaryFolder(t)
  mkdirSync(join(folder, 'a', 'b'), { recursive: true })
  const file = await open(folder)
  const prototype = Object.getPrototypeOf(file) as typeof file
  await file.close()
  // oxlint-disable-next-line typescript/unbound-method -- put back as it was
  const { sync } = prototype
  const flushed: number[] = []
  prototype.sync = async function (this: typeof file) {
    flushed.push((await this.stat()).ino)
    return sync.call(this)
  }
  try {
    await jsonLines(join(folder, 'a', 'b', 'c', 'd')).flushDelta([1], { start: 1, end: 2 }, { signal })
    t.deepEqual(
      flushed,
      ['a', 'a/b', 'a/b/c'].map((path) => statSync(join(folder, path)).ino),
    )
    flushed.length = 0
    await jsonLines(join(folder, 'a', 'b')).flushDelta([1], { start: 1, end: 2 }, { signal })
    t.deepEqual(flushed, [statSync(join(folder, 'a')).ino])
    const above = statSync(join(folder, 'a')).ino
    prototype.sync = async function (this: typeof file) {
      const { ino } = await this.stat()
      if (ino === above) throw Object.assign(new Error('no such flush'), { code: 'EINVAL' })
      flushed.push(ino)
    }
    flushed.length = 0
    await jsonLines(join(folder, 'a', 'b')).flushDelta([1], { start: 1, end: 2 }, { signal })
    t.deepEqual(flushed, [statSync(join(folder, 'a', 'b')).ino])
  } finally {
    prototype.sync = sync
  }
  await t.throwsAsync(jsonLines(join(folder, 'x/'.repeat(3_000))).flushDelta([1], { start: 1, end: 2 }, { signal }), { code: 'ERR_IO' })
  t.deepEqual(readdirSync(folder), ['a'])
})
