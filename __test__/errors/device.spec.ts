// A device that fails and one that is full: ERR_POISONED with the first failure as its cause, and ERR_NO_SPACE, which heals by itself.
import { execFileSync } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { closeSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { binary, type LedgerstoneError, type NoSpaceMessage, open } from '../../src/index.ts'
import { runChild } from '../support/child.ts'
import { codeOf, openStore, storePath } from '../support/store.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { errorOf, expectError } from './expect-error.ts'

const EFBIG = 27
const [MOUNT, UNMOUNT] = ['mount', 'umount'] as const
const MEBIBYTE = 1 << 20
const HEALS_WITHIN_MS = 30_000

/** What the child tells of a store whose device failed. */
interface Told {
  readonly what: string
  readonly code?: string
  readonly name?: string
  readonly cause?: { readonly code: string; readonly errno?: number; readonly syscall?: string; readonly path?: string }
}

const onUnix = process.platform === 'win32' ? test.skip : test

onUnix('a write that fails half way poisons the store: ERR_POISONED with its cause everywhere, reads go on, only reopening heals', async (t) => {
  const path = storePath(t)
  // Files may not grow beyond 4 MiB (8 in shells that count in KiB): a failure that no retry can mend, but not a full device.
  const runner = ['sh', '-c', 'ulimit -f 8192; exec "$@"', 'sh'] as const
  const ended = await runChild(new URL('failing-device.ts', import.meta.url), { args: [path], runner })
  t.deepEqual([ended.code, ended.stderr], [0, ''])
  const told = ended.reports.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Told)
  const poisoned = ['the write', 'apply', 'transact', 'put', 'append', 'writeTxn', 'flush', 'a second open', 'close']
  for (const what of poisoned)
    t.like(
      told.find((one) => one.what === what),
      { code: 'ERR_POISONED', name: 'PoisonedError' },
      what,
    )
  t.like(
    told.find(({ what }) => what === 'store.failure'),
    { code: 'ERR_IO', name: 'IoError' },
  )
  t.true(told.every(({ what, code }) => code === (what === 'store.failure' ? 'ERR_IO' : 'ERR_POISONED')))
  for (const { what, cause } of told.filter(({ code }) => code === 'ERR_POISONED')) {
    t.is(cause?.code, 'ERR_IO', what)
    t.is(cause?.errno, EFBIG, what)
    t.true(cause?.path?.startsWith(path), what)
  }
  t.true(ended.reports.includes('no function ran'))
  t.true(ended.reports.includes('reads go on'))
  t.true(ended.reports.includes('opened again after close'))

  const acknowledged = Number(ended.reports.findLast((line) => line.startsWith('durable '))?.split(' ')[1])
  t.true(acknowledged > 10)
  const store = await openStore(t, {}, path)
  t.true((store.state.get('n') as number) >= acknowledged, 'everything that was acknowledged is there')
  t.is(store.state.get('n'), store.nextEventId - 1)
  await store.state.put('n', 0, { durability: 'durable' })
})

// Bug: a process that had used up its file handles poisoned its stores. Mechanism: a folder is opened to be flushed, and that failed after a
// journal file had got its name. Fix: handles in reserve.
onUnix('a process without file handles goes on writing', async (t) => {
  const path = storePath(t)
  const runner = ['sh', '-c', 'ulimit -n 128; exec "$@"', 'sh'] as const
  const { code, stderr, reports } = await runChild(new URL('out-of-handles.ts', import.meta.url), { args: [path], runner })
  t.is(code, 0, stderr)
  t.deepEqual(reports, ['EMFILE', 'it went on'])
  const store = await openStore(t, {}, path)
  t.is(store.nextEventId, 201)
})

/** A separate device, if this machine allows one. */
function smallDevice(t: { teardown(fn: () => unknown): void }, mebibytes: number): string | undefined {
  const folder = temporaryFolder(t)
  try {
    execFileSync(MOUNT, ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', folder], { stdio: 'ignore' })
  } catch {
    return undefined
  }
  t.teardown(() => execFileSync(UNMOUNT, ['-l', folder]))
  return folder
}

// Bug: a trim on a full device freed nothing. Mechanism: the file that remembers the horizon needs room before any segment goes. Fix: inside a store the
// journal remembers; then the oldest segment goes first.
test.serial('on a full device a trim finds room in the journal and makes room for everything else', async (t) => {
  const device = smallDevice(t, 24)
  if (device === undefined) {
    t.log('SKIPPED: mounting a small tmpfs is not allowed here; the simulated disk has its own tests of a full device')
    t.pass()
    return
  }
  const options = { flush: { bytes: 64 * 1024, intervalMs: 20 }, segmentBytes: 64 * 1024, events: binary() }
  const store = await openStore(t, options, join(device, 'store'))
  for (let n = 0; n < 40; n++) await store.appendAll(Array.from({ length: 20 }, () => Buffer.alloc(4000, n)))
  await store.flush()
  const ballast = openSync(join(device, 'ballast'), 'w')
  t.throws(
    () => {
      for (;;) writeSync(ballast, Buffer.alloc(4096, 1))
    },
    { code: 'ENOSPC' },
  )
  let refused: unknown
  for (let n = 0; n < 2000 && refused === undefined; n++) refused = await codeOf(() => store.append(Buffer.alloc(20_000, n), { durability: 'written' }))
  t.is(refused, 'ERR_NO_SPACE')
  const { nextEventId } = store
  t.is(await store.trimEvents({ before: 701 }), 700)
  const startedMs = performance.now()
  while ((await codeOf(() => store.append(Buffer.alloc(20_000)))) !== undefined) {
    if (performance.now() - startedMs > HEALS_WITHIN_MS) throw new Error('it does not heal')
    await sleep(50)
  }
  await store.flush()
  t.is(store.failure, undefined)
  t.deepEqual([store.oldestEventId, store.nextEventId], [701, nextEventId + 1])
  closeSync(ballast)
  await store.close()
})

// Bug: a device that became full while the state was flushed poisoned the store. Mechanism: LMDB says EIO when a page could be written only in
// part, as it can on a full device. Fix: an EIO of LMDB is told apart by whether a small file finds room.
test('a full device is ERR_NO_SPACE: what is there can be read, what was applied is kept, and it heals by itself', async (t) => {
  const device = smallDevice(t, 24)
  if (device === undefined) {
    t.log('SKIPPED: mounting a small tmpfs is not allowed here; the simulated disk has its own tests of a full device')
    t.pass()
    return
  }
  const ballast = join(device, 'ballast')
  writeFileSync(ballast, Buffer.alloc(12 * MEBIBYTE))
  const path = join(device, 'store')
  const store = await openStore(t, { flush: { bytes: 256 * 1024, intervalMs: 50 }, durability: 'durable' }, path)
  const values = store.collection('values', { value: binary() })
  const told: NoSpaceMessage[] = []
  const take = (message: unknown): void => void told.push(message as NoSpaceMessage)
  subscribe('ledgerstone:no-space', take)
  t.teardown(() => unsubscribe('ledgerstone:no-space', take))
  let acknowledged = 0
  let error: LedgerstoneError | undefined
  for (let n = 1; error === undefined && n < 2000; n++) {
    await store
      .transact((tx) => {
        tx.put(values, `key ${n}`, Buffer.alloc(20_000, n))
        tx.put(store.state, 'n', n)
        tx.append(n)
      })
      .then(
        () => (acknowledged = n),
        () => {},
      )
    if (acknowledged !== n) error = await errorOf(() => store.apply((tx) => tx.put(values, 'one more', Buffer.alloc(20_000))))
  }
  t.true(acknowledged > 10)
  const fields = { errno: 28, syscall: (error as unknown as { syscall: string }).syscall, path: (error as unknown as { path: string }).path }
  expectError(t, error as LedgerstoneError, { code: 'ERR_NO_SPACE', class: 'NoSpaceError', fields, retryable: true })
  t.true(fields.path.startsWith(device))
  t.is(store.failure, undefined, 'a full device is not the end')
  t.true((store.state.get('n') as number) >= acknowledged)
  t.deepEqual(values.get('key 1'), Buffer.alloc(20_000, 1))
  t.true([...store.events()].length >= acknowledged)

  const [full] = told as [NoSpaceMessage]
  t.deepEqual([told.length, Object.keys(full), full.path], [1, ['path', 'since'], path], 'the channel says so')

  rmSync(ballast)
  const before = store.state.get('n') as number
  const startedMs = performance.now()
  for (;;) {
    const healed = await store
      .transact((tx) => tx.put(store.state, 'n', before + 1))
      .then(
        () => true,
        () => false,
      )
    if (healed) break
    if (performance.now() - startedMs > HEALS_WITHIN_MS) throw new Error('it does not heal')
    await sleep(100)
  }
  await store.flush()
  await store.state.put('last', 1)
  await store.close()
  t.deepEqual(told[1], { ...full, until: told[1]?.until as number })
  t.true(told.length % 2 === 0 && (told[1]?.until as number) >= full.since, 'and when it has healed')
  const again = await open(path)
  t.is(again.state.get('n'), before + 1)
  t.true([...again.events()].length >= acknowledged)
  await again.close()
})
