// The diagnostics channels by count: free while nobody listens, every commit in exactly one message while somebody does.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import test, { type ExecutionContext } from 'ava'
import type { ColdCalls } from '../../src/native/binding.ts'
import { Environment } from '../../src/native/environment.ts'
import { binary, type CanonicalStore, type CommitGroupMessage, type FlushMessage, open, type RecoveryMessage, type StallMessage } from '../../src/index.ts'
import { openStore, storePath } from '../support/store.ts'
import { callsUntil } from './calls.ts'

const QUIET = { flush: { intervalMs: 3_600_000 } } as const

/** How often native code is asked to observe, and asked what it has seen. */
const asked = { observe: 0, takeHappenings: 0 }
const environment = Environment.current() as { cold: ColdCalls }
const { cold } = environment
environment.cold = {
  ...cold,
  observe(...args) {
    asked.observe++
    cold.observe(...args)
  },
  takeHappenings(...args) {
    asked.takeHappenings++
    return cold.takeHappenings(...args)
  },
}

/** The messages of a channel, until the test ends or the returned function is called. */
function listen<T>(t: ExecutionContext, name: string): T[] & { stop(): void } {
  const messages: T[] = []
  const take = (message: unknown): void => void messages.push(message as T)
  subscribe(`ledgerstone:${name}`, take)
  const stop = (): void => void unsubscribe(`ledgerstone:${name}`, take)
  t.teardown(stop)
  return Object.assign(messages, { stop })
}

async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; tries < 2000 && !isSo(); tries++) await new Promise((resolve) => setTimeout(resolve, 5))
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

async function work(store: CanonicalStore): Promise<number> {
  const before = store.stats().levels.applied
  for (let n = 0; n < 20; n++) await store.state.put('lone', n, { durability: 'durable' })
  await Promise.all(Array.from({ length: 100 }, (_, n) => store.state.put(`k${n}`, n, { durability: n % 3 === 0 ? 'written' : 'durable' })))
  for (let n = 0; n < 50; n++) store.apply((tx) => tx.append(n))
  await store.flush()
  return store.stats().levels.applied - before
}

test.serial('nobody listens: native code is not asked, and wakes nobody that does not wait', async (t) => {
  const store = await openStore(t, QUIET)
  await work(store)
  for (let n = 0; n < 10; n++) await new Promise((resolve) => setImmediate(resolve)) // a wake may be on its way
  const calls = await callsUntil(async () => {
    for (let n = 0; n < 100; n++) store.apply((tx) => tx.put(store.state, 'a', n))
    await until(() => store.stats().levels.written === store.stats().levels.applied)
  })
  t.deepEqual([calls, asked], [{ commit: 100 }, { observe: 0, takeHappenings: 0 }])
})

for (const inlineFlush of ['auto', 'never'] as const) {
  test.serial(`every commit is in one group, every group in one message (inlineFlush: ${inlineFlush})`, async (t) => {
    const path = storePath(t)
    const store = await openStore(t, { ...QUIET, inlineFlush }, path)
    await store.sync()
    const before = store.stats()
    const groups = listen<CommitGroupMessage>(t, 'commit-group')
    const flushed = listen<FlushMessage>(t, 'flush')
    const commits = await work(store)
    await until(() => sum(groups.map((group) => group.commits)) >= commits && flushed.length > 0)
    const after = store.stats()
    t.is(commits, 170)
    t.is(sum(groups.map((group) => group.commits)), commits)
    t.is(sum(groups.map((group) => group.groups)), after.journal.groups - before.journal.groups)
    t.true(groups.length > 20 && groups.every((group) => group.path === path && group.bytes >= 4096 && group.bytes % 4096 === 0))
    t.true(groups.every((group, place) => group.seq === sum(groups.slice(0, place + 1).map((one) => one.commits)) + before.levels.applied))
    t.true(
      groups.slice(0, 20).every((group) => group.commits === 1),
      'lone commits are groups of their own',
    )
    // Most of them: one whose thread is held up is written first, and flushed without a group.
    t.true(groups.some(({ durable, flushMicros }) => durable && flushMicros > 0))
    t.deepEqual(
      flushed.map(({ durationMs, ...rest }) => ({ ...rest, isTimed: durationMs > 0 })),
      [
        {
          path,
          seq: after.levels.flushed,
          epoch: flushed[0]?.epoch as number,
          entries: flushed[0]?.entries as number,
          bytes: flushed[0]?.bytes as number,
          flushes: 1,
          isTimed: true,
        },
      ],
    )
    t.true((flushed[0]?.entries as number) >= 101 && (flushed[0]?.bytes as number) > 0)

    groups.stop()
    flushed.stop()
    await store.state.put('a', 1, { durability: 'durable' }) // which finds that nobody listens any more
    const quiet = { ...asked }
    for (let n = 0; n < 10; n++) await store.state.put('a', n, { durability: 'durable' })
    t.deepEqual(asked, quiet)
  })
}

test.serial('nothing is missing when handles close, and nothing is told twice', async (t) => {
  const groups = listen<CommitGroupMessage>(t, 'commit-group')
  const flushed = listen<FlushMessage>(t, 'flush')
  const path = storePath(t)
  const first = await openStore(t, QUIET, path)
  const second = await openStore(t, QUIET, path)
  for (let n = 0; n < 100; n++) {
    first.apply((tx) => tx.put(first.state, 'a', n))
    if (n === 50) void first.state.put('b', n, { durability: 'durable' })
  }
  const closing = first.close()
  for (let n = 0; n < 100; n++) second.apply((tx) => tx.put(second.state, 'a', n))
  await closing
  for (let n = 0; n < 100; n++) second.apply((tx) => tx.put(second.state, 'a', n))
  await second.close()
  t.is(sum(groups.map((group) => group.commits)), 301)
  t.deepEqual([groups.at(-1)?.seq, flushed.at(-1)?.seq], [301, 301])
  t.is(new Set(groups.map((group) => group.seq)).size, groups.length)
})

test.serial('a write that waits for room tells how long it did', async (t) => {
  const path = storePath(t)
  const store = await openStore(t, { flush: { bytes: 64 * 1024 } }, path)
  const stalls = listen<StallMessage>(t, 'stall')
  const values = store.collection('values', { value: binary() })
  await Promise.all(Array.from({ length: 200 }, (_, n) => values.put(`k${n}`, Buffer.alloc(10_000))))
  t.true(stalls.length > 0 && stalls.length < 200)
  t.true(stalls.every((stall) => stall.path === path && stall.waitedMs > 0 && Number.isSafeInteger(stall.pendingBytes)))
  stalls.stop()
})

test.serial('an opening tells of its recovery, one that joins an open store does not', async (t) => {
  const path = storePath(t)
  const recoveries = listen<RecoveryMessage>(t, 'recovery')
  const first = await open(path)
  await first.state.put('a', 1)
  const { recovery } = first.stats()
  await (await open(path)).close()
  await first.close()
  const again = await open(path)
  t.deepEqual(
    [...recoveries],
    [
      { path, ...recovery },
      { path, ...again.stats().recovery },
    ],
  )
  t.true(again.stats().recovery.epoch > recovery.epoch)
  await again.close()
})
