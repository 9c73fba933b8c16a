// What the user's objects may do while they are looked at: promises where values are wanted, accessors that change their mind, signals that throw, ends
// that come back. Each of these left an unhandled rejection, a raw error of the boundary, a waiting without an end, or a second closing.
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { type Codec, envelope, open, type StandardSchemaV1, utf8 } from '../../src/index.ts'
import { codeOf, openStore, storePath } from '../support/store.ts'
import { turn } from '../support/turns.ts'

const failing = async (): Promise<never> => {
  await Promise.resolve()
  throw new Error("nobody's")
}

// Bug: an asynchronous function where a value is wanted was refused, and its own failure ended the process. Mechanism: nobody listened to the promise that was
// refused. Fix: what refuses a promise of the user's functions listens to it. AVA fails what leaves an unhandled rejection.
test("a promise that is refused is nobody's unhandled rejection", async (t) => {
  const path = storePath(t)
  const store = await openStore(t, { events: envelope<{ a: number }>({ types: { a: {} } }) }, path)
  await store.append({ type: 'a', data: 1 })
  const unfit: unknown = failing
  const asynchronous = { name: 'asynchronous', ordered: true, encode: failing, decode: failing } as unknown as Codec<unknown>
  const schema: StandardSchemaV1 = { '~standard': { version: 1, vendor: 'test', validate: failing } }
  const calls: Record<string, () => unknown> = {
    keys: () => store.transact({ keys: failing as never, preflight: () => {}, apply: () => {} }),
    value: () => store.collection('value', { key: utf8(), value: asynchronous }).put('a', 1),
    key: () => store.collection('key', { key: asynchronous as never, value: utf8() }).put('a', 'b'),
    'key to read': () => store.collection('key', { key: asynchronous as never, value: utf8() }).get('a'),
    transact: () => store.transact(failing as never),
    apply: () => store.apply(unfit as never),
    upcaster: () => envelope<{ a: number }>({ types: { a: { version: 2, upcast: { 1: failing } } } }).decode(Buffer.from('{"type":"a","version":1,"data":1}')),
    schema: () => envelope<{ a: unknown }>({ types: { a: { schema: schema } } }).encode({ type: 'a', data: 1 } as never),
    'codec inside': () => envelope<{ a: number }>({ types: { a: {} }, codec: asynchronous }).decode(Buffer.from('x')),
  }
  for (const [name, call] of Object.entries(calls)) {
    const thrown: unknown = await (async () => call())().then(
      () => undefined,
      (error: unknown) => error,
    )
    t.true(thrown instanceof Error && thrown.message !== "nobody's", name)
    await turn()
  }
})

// Bug: `close()` in a listener of a preflight's signal, which closing itself had aborted, closed a second time, and the first call rejected with ERR_CLOSED.
// Mechanism: that it closes was noted after the user's code had run. Fix: first.
test('closing from what closing ends is the same closing', async (t) => {
  const store = await openStore(t)
  let inner: Promise<void> | undefined
  const phases = store.transact({
    keys: {},
    preflight: ({ signal }) =>
      new Promise<void>(() =>
        signal.addEventListener('abort', () => {
          inner = store.close()
        }),
      ),
    apply: () => {},
  })
  await turn()
  const outer = store.close()
  t.is(inner, outer)
  await t.notThrowsAsync(outer)
  await t.throwsAsync(phases, { code: 'ERR_CLOSED' })
})

const SIGNALS: Record<string, Partial<AbortSignal>> = {
  'cannot be listened to': {
    aborted: false,
    addEventListener() {
      throw new Error('of the signal')
    },
    removeEventListener() {},
  },
  'cannot be left': {
    aborted: false,
    addEventListener() {},
    removeEventListener() {
      throw new Error('of the signal')
    },
  },
  'has no reason': {
    aborted: true,
    get reason(): never {
      throw new Error('of the signal')
    },
    addEventListener() {},
    removeEventListener() {},
  },
}

// Bug: a signal of another make that threw when it was left ended in an uncaught exception and a write without an outcome; one that threw when it was listened
// to left a pause behind. Mechanism: its methods were called in the middle of settling. Fix: what it throws is its reason, or nothing.
for (const [what, made] of Object.entries(SIGNALS)) {
  test(`a signal that ${what} harms nobody`, async (t) => {
    const store = await openStore(t)
    const signal = made as AbortSignal
    const told = async (call: () => PromiseLike<unknown>): Promise<string> => {
      const late = new AbortController()
      const outcome = (async () => call())().then(
        () => 'done',
        (error: Error) => error.message,
      )
      return Promise.race([outcome.finally(() => late.abort()), sleep(20_000, 'waits for ever', { signal: late.signal }).catch(() => '')])
    }
    const outcomes = new Set(what === 'cannot be left' ? ['done'] : ['done', 'of the signal'])
    const pause = await store.pauseIngestion()
    const held = [told(() => store.state.put('a', 1, { signal })), told(() => store.transact((tx) => tx.put(store.state, 'b', 1), { signal }))]
    const behind = store.state.put('c', 1)
    await turn()
    pause.release()
    for (const outcome of await Promise.all(held)) t.true(outcomes.has(outcome), outcome)
    await behind
    const calls = [
      () => store.pauseIngestion({ signal }).then((made) => made.release()),
      () => store.sync({ signal }),
      () => store.flush({ signal }),
      () => store.verify({ signal }),
      () => store.check({ keys: { write: [store.state.key('a')] }, preflight: () => turn() }, { signal }),
      () => open(store.path, { signal }).then((other) => other.close()),
    ]
    for (const call of calls) {
      const outcome = await told(call)
      t.true(outcomes.has(outcome), `${String(call)}: ${outcome}`)
    }
    t.false(store.isPaused)
    const following = store.follow({ from: 1, signal })[Symbol.asyncIterator]()
    const next = told(() => following.next())
    await turn()
    await store.append('event')
    t.true(outcomes.has(await next))
    await following.return?.()
  })
}

// Bug: accessors in options that changed their mind reached native code, whose raw error was thrown. Mechanism: they were read once to be checked and once
// to be used. Fix: they are read once.
test('options are read once', async (t) => {
  const reads: string[] = []
  const once = (value: unknown, name: string): PropertyDescriptor => ({
    enumerable: true,
    get() {
      reads.push(name)
      return reads.filter((read) => read === name).length === 1 ? value : 'something else'
    },
  })
  const within = (values: Record<string, unknown>): never =>
    Object.defineProperties({}, Object.fromEntries(Object.entries(values).map(([name, value]) => [name, once(value, name)]))) as never
  const options = {
    limits: within({ keyBytes: 100, valueBytes: 1000, eventBytes: 1000, transactionBytes: 100_000 }),
    flush: within({ bytes: 1 << 20, intervalMs: 1000 }),
    retention: within({ maxEvents: 10, maxAgeMs: 1000, maxBytes: 1 << 20 }),
    readers: within({ warnAfterMs: 1000 }),
  }
  const store = await openStore(
    t,
    within({ ...options, durability: 'applied', create: true, segmentBytes: 1 << 20, eventCompression: 'none', stripes: 16, inlineFlush: 'auto' }),
  )
  t.is(store.state.get('a'), undefined)
  t.deepEqual(
    reads.filter((name, at) => reads.indexOf(name) !== at),
    [],
  )
  t.true(reads.length > 15)
})

// Bug: a bound that is `null`, a key like any other for a codec that has it, was taken for none. Mechanism: `??`. Fix: what was left out is `undefined`.
test('null is a bound where it is a key', async (t) => {
  const store = await openStore(t)
  const nullable = {
    name: 'nullable',
    ordered: true as const,
    encode: (key: string | null) => Buffer.from(key === null ? '0' : `1${key}`),
    decode: (bytes: Buffer) => (bytes[0] === 0x30 ? null : bytes.toString('utf8', 1)),
  }
  const collection = store.collection('nullable', { key: nullable, value: utf8() })
  await collection.put(null, 'none')
  await collection.put('a', 'one')
  t.deepEqual(collection.range({ gte: null }).toArray().length, 2)
  t.deepEqual(collection.range({ gt: null }).toArray(), [['a', 'one']])
  t.deepEqual(collection.range({ lte: null }).toArray(), [[null, 'none']])
  t.deepEqual(collection.range({ lt: null }).toArray(), [])
})

// Bug: a transaction that paused ingestion was kept out by its own pause, and run again after each, for ever. Mechanism: of all changes of the store's
// condition this one was not refused inside of a transaction. Fix: it is.
test('a pause inside of a transaction is refused', async (t) => {
  const store = await openStore(t)
  let runs = 0
  const work = (): void => {
    if (++runs > 3) throw new Error('again and again')
    void store.pauseIngestion().then(
      (pause) => pause.release(),
      () => {},
    )
  }
  t.is(await codeOf(() => store.transact(work)), 'ERR_TRANSACTION_OPEN')
  t.is(await codeOf(() => store.apply(work)), 'ERR_TRANSACTION_OPEN')
  await turn()
  t.deepEqual([runs, store.isPaused], [2, false])
})
