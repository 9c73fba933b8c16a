// One store, several handles, several processes: which may have it open, what a handle says after its end, and that nothing is left out of that.
import test from 'ava'
import { binary, type CanonicalStore, ClosedError, open, type OpenOptions } from '../../src/index.ts'
import { runChild } from '../support/child.ts'
import { codeOf, openStore, storePath } from '../support/store.ts'

const OPENER = new URL('opener.ts', import.meta.url)

test('a second process is refused with the pid of the first, and let in when that has closed', async (t) => {
  const path = storePath(t)
  const store = await openStore(t, {}, path)
  await store.state.put('a', 1)
  const refused = await runChild(OPENER, { args: [path] })
  t.deepEqual(refused.reports, [`ERR_LOCKED LockedError ${process.pid} ${path}`])
  await store.state.put('a', 2)
  await store.close()
  const letIn = await runChild(OPENER, { args: [path] })
  t.deepEqual(letIn.reports, ['opened 2'])
})

test('a process that was killed leaves no lock behind', async (t) => {
  const path = storePath(t)
  const killed = await runChild(OPENER, { args: [path, 'kill'] })
  t.is(killed.signal, 'SIGKILL')
  const store = await openStore(t, {}, path)
  t.is(store.state.get('a'), 'killed')
})

test('the lock is given back by the last handle only', async (t) => {
  const path = storePath(t)
  const first = await openStore(t, {}, path)
  const second = await openStore(t, {}, path)
  await first.close()
  t.regex((await runChild(OPENER, { args: [path] })).reports[0] as string, /^ERR_LOCKED/)
  await second.state.put('a', 3)
  await second.close()
  t.deepEqual((await runChild(OPENER, { args: [path] })).reports, ['opened 3'])
})

test('every option of the store that contradicts is ERR_OPTIONS_MISMATCH by its name; of the handle and the call none', async (t) => {
  const path = storePath(t)
  await openStore(t, {}, path)
  const contradicting: Record<string, OpenOptions<never>> = {
    'limits.keyBytes': { limits: { keyBytes: 100 } },
    'limits.valueBytes': { limits: { valueBytes: 100 } },
    'limits.eventBytes': { limits: { eventBytes: 100 } },
    'limits.transactionBytes': { limits: { transactionBytes: 10_000 } },
    'flush.bytes': { flush: { bytes: 1 << 20 } },
    'flush.intervalMs': { flush: { intervalMs: 77 } },
    mapSizeBytes: { mapSizeBytes: 1 << 30 },
    segmentBytes: { segmentBytes: 1 << 20 },
    'readers.warnAfterMs': { readers: { warnAfterMs: 1000 } },
    allowNetworkFileSystem: { allowNetworkFileSystem: true },
    inlineFlush: { inlineFlush: 'never' },
    events: { events: binary() as never },
  }
  for (const [option, options] of Object.entries(contradicting)) {
    const error = await t.throwsAsync<Error & { code: string; option: string; expected: unknown; actual: unknown }>(open(path, options))
    t.deepEqual([error.code, error.option], ['ERR_OPTIONS_MISMATCH', option])
    const asked = option === 'events' ? 'binary' : String(option.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], options))
    t.is(String(error.actual), asked)
    t.not(String(error.expected), asked)
    t.true(error.message.endsWith(`option=${option} expected=${String(error.expected)} actual=${asked}`), error.message)
  }
  const options: OpenOptions[] = [
    { durability: 'written' },
    { create: false },
    { signal: new AbortController().signal },
    { limits: {}, flush: {} },
    { inlineFlush: 'auto' },
  ]
  for (const same of options) await (await open(path, same)).close()
})

test('closing is one closing, however often it is called, and the store is gone after it', async (t) => {
  const store = await openStore(t)
  store.apply((tx) => tx.put(store.state, 'a', 1))
  await Promise.all([store.close(), store.close(), store[Symbol.asyncDispose]()])
  await store.close()
  const again = await openStore(t, { create: false }, store.path)
  t.is(again.state.get('a'), 1)
})

test('after close() everything throws or rejects with ERR_CLOSED, and nothing is missing from this list', async (t) => {
  const store = await openStore(t)
  const { state } = store
  store.apply((tx) => tx.append('event'))
  const snapshot = store.snapshot()
  const range = state.range()
  const events = store.events()
  const ofSnapshot = snapshot.range(state)
  await store.close()

  type Uses<T> = { [K in keyof T]: () => unknown }
  const inSync: Uses<Omit<CanonicalStore, 'path' | 'state' | 'close' | typeof Symbol.asyncDispose>> = {
    nextEventId: () => store.nextEventId,
    oldestEventId: () => store.oldestEventId,
    failure: () => store.failure,
    locks: () => store.locks,
    get: () => store.get(state, 'a'),
    getMany: () => store.getMany(state, ['a']),
    has: () => store.has(state, 'a'),
    range: () => store.range(state).toArray(),
    collection: () => store.collection('a'),
    collections: () => store.collections(),
    snapshot: () => store.snapshot(),
    apply: () => store.apply(() => t.fail('the function runs')),
    writeTxn: () => store.writeTxn(),
    events: () => store.events(),
    follow: () => store.follow(),
    eventSegments: () => store.eventSegments(),
    event: () => store.event(1),
    meta: () => store.meta(),
    stats: () => store.stats(),
    isPaused: () => store.isPaused,
    resumeIngestion: () => store.resumeIngestion(),
    dropCollection: () => store.dropCollection('a'),
    transact: () => store.transact(() => t.fail('the function runs')),
    check: () => store.check({ keys: {}, preflight: () => t.fail('the preflight runs') }),
    append: () => store.append('a'),
    appendAll: () => store.appendAll([]),
    sync: () => store.sync(),
    flush: () => store.flush(),
    verify: () => store.verify(),
    backupTo: () => store.backupTo(`${store.path} backups`),
    trimEvents: () => store.trimEvents({ before: 1 }),
    rotateEvents: () => store.rotateEvents(),
    seal: () => store.seal(),
    unseal: () => store.unseal(),
    pauseIngestion: () => store.pauseIngestion(),
  }
  const promised = new Set([
    'dropCollection',
    'transact',
    'check',
    'append',
    'appendAll',
    'sync',
    'flush',
    'verify',
    'backupTo',
    'trimEvents',
    'rotateEvents',
    'seal',
    'unseal',
    'pauseIngestion',
  ])
  for (const [name, use] of Object.entries(inSync)) {
    if (promised.has(name)) {
      const promise = use() as Promise<unknown>
      t.true(promise instanceof Promise, `${name} does not throw`)
      await t.throwsAsync(promise, { instanceOf: ClosedError }, name)
    } else t.throws(use, { instanceOf: ClosedError, code: 'ERR_CLOSED' }, name)
  }
  const rest: Record<string, () => unknown> = {
    'state.get': () => state.get('a'),
    'state.getMany': () => state.getMany(['a']),
    'state.has': () => state.has('a'),
    'state.range': () => state.range().toArray(),
    'state.put': () => state.put('a', 1),
    'state.delete': () => state.delete('a'),
    'an older range': () => range.toArray(),
    'its keys': () => [...range.keys()],
    'its values': () => [...range.values()],
    'its count': () => range.count(),
    'older events': () => [...events],
    'their pages': () => [...events.pages()],
    'their count': () => events.count(),
    'a snapshot: get': () => snapshot.get(state, 'a'),
    'a snapshot: getMany': () => snapshot.getMany(state, ['a']),
    'a snapshot: has': () => snapshot.has(state, 'a'),
    'a snapshot: range': () => snapshot.range(state).toArray(),
    'a snapshot: events': () => [...snapshot.events()],
    'a snapshot: seq': () => snapshot.seq,
    'a snapshot: nextEventId': () => snapshot.nextEventId,
    'a range of a snapshot': () => ofSnapshot.toArray(),
  }
  for (const [name, use] of Object.entries(rest)) t.is(await codeOf(use), 'ERR_CLOSED', name)
  snapshot.release()
  snapshot[Symbol.dispose]()

  const known = new Set([...Object.keys(inSync), 'constructor', 'close', 'path', 'state'])
  const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(store)).filter((name) => !known.has(name))
  t.deepEqual(methods, [], 'a method that this test does not know')
})

test('after its end everything of a transaction is ERR_TRANSACTION_FINISHED', async (t) => {
  const store = await openStore(t)
  const { state } = store
  for (const end of ['commit', 'abort'] as const) {
    const tx = store.writeTxn()
    tx.put(state, 'a', 1)
    const range = tx.range(state)
    const iterator = range[Symbol.iterator]()
    iterator.next()
    tx[end]()
    const uses: Record<string, () => unknown> = {
      get: () => tx.get(state, 'a'),
      getMany: () => tx.getMany(state, ['a']),
      has: () => tx.has(state, 'a'),
      range: () => tx.range(state).toArray(),
      'an older range': () => range.toArray(),
      'its iterator': () => iterator.next(),
      put: () => tx.put(state, 'a', 1),
      delete: () => tx.delete(state, 'a'),
      deleteRange: () => tx.deleteRange(state, {}),
      append: () => tx.append('a'),
      appendAll: () => tx.appendAll([]),
      commit: () => tx.commit(),
    }
    for (const [name, use] of Object.entries(uses)) t.is(await codeOf(use), 'ERR_TRANSACTION_FINISHED', `${name} after ${end}`)
    tx.abort()
    tx[Symbol.dispose]()
    const known = new Set([...Object.keys(uses), 'constructor', 'abort'])
    const prototypes = [Object.getPrototypeOf(tx) as object, Object.getPrototypeOf(Object.getPrototypeOf(tx)) as object]
    t.deepEqual(
      prototypes.flatMap((of) => Object.getOwnPropertyNames(of)).filter((name) => !known.has(name)),
      [],
    )
  }
})
