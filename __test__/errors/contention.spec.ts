// Errors of waiting too long. Each waits for the five seconds that are its claim.
import test from 'ava'
import { binary } from '../../src/index.ts'
import { openStore } from '../support/store.ts'
import { ended, startWorker, told } from '../support/workers.ts'
import { ANY_NUMBER, errorOf, expectError } from './expect-error.ts'

const FLUSH_BYTES = 64 * 1024

test.serial('ERR_BUSY: another thread holds the gate for more than 5 s; the same call succeeds later', async (t) => {
  const store = await openStore(t)
  await store.state.put('a', 1)
  const held = new Int32Array(new SharedArrayBuffer(4))
  const worker = startWorker(new URL('gate-holder.ts', import.meta.url), { path: store.path, held })
  while (Atomics.load(held, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  const error = await errorOf(() => store.apply((tx) => tx.put(store.state, 'b', 1)))
  expectError(t, error, { code: 'ERR_BUSY', class: 'BusyError', fields: { waitedMs: ANY_NUMBER }, retryable: true })
  t.true((error as unknown as { waitedMs: number }).waitedMs >= 5000)
  t.is(store.state.get('a'), 1, 'reading waits for nobody')
  Atomics.store(held, 0, 2)
  Atomics.notify(held, 0)
  await ended(worker)
  store.apply((tx) => tx.put(store.state, 'b', 1))
  t.is(store.state.get('held'), true, "the other's commit was not undone")
})

test.serial('ERR_BACKPRESSURE: apply finds no room for 5 s, transact goes on waiting, and room comes back', async (t) => {
  const store = await openStore(t, { flush: { bytes: FLUSH_BYTES, intervalMs: 3_600_000 } })
  const values = store.collection('values', { value: binary() })
  // What is flushed stays in memory as long as a snapshot needs it, and counts. Each transaction is a little smaller than what makes the store flush by itself,
  // so that the snapshot comes first; four of them are below four times that, the fifth is let in and is too much. Another thread has the snapshots: a thread
  // that has them itself does not have to wait for them.
  const holder = startWorker(new URL('snapshot-holder.ts', import.meta.url), { path: store.path })
  await told(holder)
  const tell = async (what: 'take' | 'release' | 'end'): Promise<void> => {
    holder.postMessage(what)
    await told(holder)
  }
  for (let n = 0; n < 5; n++) {
    await store.transact((tx) => {
      for (let i = 0; i < 17; i++) tx.put(values, `key ${n} ${i}`, Buffer.alloc(3500, n))
    })
    await tell('take')
    await store.flush()
  }
  // A flush is published a moment before what readers hold of it is counted; looking counts it.
  t.true(store.stats().readers.bytes > 4 * FLUSH_BYTES)
  const error = await errorOf(() => store.apply((tx) => tx.put(values, 'one more', Buffer.alloc(1))))
  expectError(t, error, { code: 'ERR_BACKPRESSURE', class: 'BackpressureError', fields: { pendingBytes: ANY_NUMBER }, retryable: true })
  t.true((error as unknown as { pendingBytes: number }).pendingBytes > 4 * FLUSH_BYTES)
  t.regex(error.message, /pendingBytes=\d+ oldestReaderMs=\d+$/)
  let isIn = false
  const waiting = store.transact((tx) => tx.put(values, 'patient', Buffer.alloc(1))).then(() => (isIn = true))
  await new Promise((resolve) => setTimeout(resolve, 300))
  t.false(isIn)
  t.false(values.has('one more'))
  await tell('release')
  await waiting
  store.apply((tx) => tx.put(values, 'one more', Buffer.alloc(1)))
  t.true(values.has('patient') && values.has('one more'))
  await tell('end')
  await ended(holder)
})

// Bug: an address space that was used up while a snapshot was open was reported as a full device. Mechanism: both are lack of space to the flusher.
// Fix: what only readers keep from growing is backpressure, and names the oldest of them.
test.serial('an address space that a snapshot keeps from growing is backpressure, and grows when that is released', async (t) => {
  const store = await openStore(t, { mapSizeBytes: 1 << 20, flush: { bytes: FLUSH_BYTES, intervalMs: 50 } })
  const values = store.collection('values', { value: binary() })
  await values.put('first', Buffer.alloc(10))
  await store.flush()
  const snapshot = store.snapshot()
  snapshot.get(values, 'first')
  const mapBytes = store.stats().state.mapBytes
  let n = 0
  const error = await errorOf(async () => {
    for (; n < 1000; n++) {
      store.apply((tx) => tx.put(values, `key ${n}`, Buffer.alloc(20_000, n)))
      await new Promise((resolve) => setImmediate(resolve))
    }
  })
  expectError(t, error, { code: 'ERR_BACKPRESSURE', class: 'BackpressureError', fields: { pendingBytes: ANY_NUMBER }, retryable: true })
  t.regex(error.message, /oldestReaderMs=\d+$/)
  t.is(snapshot.range(values).count(), 1)
  snapshot.release()
  await store.transact((tx) => tx.put(values, 'last', Buffer.alloc(2 << 20)), { durability: 'applied' })
  await store.flush()
  t.true(store.stats().state.mapBytes > mapBytes)
  t.is(values.range().count(), n + 2)
})
