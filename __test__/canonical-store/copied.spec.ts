// What a caller gives is the caller's again when the call returns, and while its own codecs run.
//
// Bug: a preflight remembered a binary key by reference and validated another one (a lost update); a put stored its value under another key when the
// value's encoder used the memory that the key had been encoded into. Mechanism: a reference was kept across code of the user's. Fix: bytes that are
// looked at later are copied, and a key before its value is encoded.
import test from 'ava'
import fc from 'fast-check'
import { binary, type Codec, type Collection, type KeyCodec, utf8 } from '../../src/index.ts'
import { openStore } from '../support/store.ts'

/** Codecs as people write them for speed: everything is encoded into one and the same memory. */
function scratchCodecs(): { key: KeyCodec<number>; value: Codec<string> } {
  const scratch = Buffer.alloc(64)
  return {
    key: {
      name: 'byte',
      ordered: true,
      encode: (n) => {
        scratch.fill(0xee)
        scratch[0] = n
        return scratch.subarray(0, 1)
      },
      decode: (bytes) => bytes[0] as number,
    },
    value: {
      name: 'text',
      encode: (text) => {
        scratch.fill(0xdd)
        return scratch.subarray(0, scratch.write(text))
      },
      decode: (bytes) => bytes.toString(),
    },
  }
}

/** The same bytes, each in separate memory. */
const OWN: { key: KeyCodec<number>; value: Codec<string> } = {
  key: { name: 'byte', ordered: true, encode: (n) => Buffer.from([n]), decode: (bytes) => bytes[0] as number },
  value: { name: 'text', encode: (text) => Buffer.from(text), decode: (bytes) => bytes.toString() },
}

const KEY = fc.integer({ min: 1, max: 6 })
const KEYS = fc.array(KEY, { maxLength: 4 })
const TEXT = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 4 })
type Coll = Collection<number, string>
type Store = Awaited<ReturnType<typeof openStore>>
interface Call {
  readonly name: string
  readonly run: (store: Store, c: Coll) => unknown
}

const CALLS: fc.Arbitrary<Call> = fc.oneof(
  fc.tuple(KEY, TEXT).map(([k, v]) => ({ name: `put ${k} ${v}`, run: (_: Store, c: Coll) => c.put(k, v) })),
  KEY.map((k) => ({ name: `delete ${k}`, run: (_: Store, c: Coll) => c.delete(k) })),
  KEYS.map((keys) => ({ name: `getMany ${String(keys)}`, run: (_: Store, c: Coll) => c.getMany(keys) })),
  fc.tuple(KEY, KEY).map(([gte, lte]) => ({ name: `range ${gte} ${lte}`, run: (_: Store, c: Coll) => c.range({ gte, lte }).toArray() })),
  fc.tuple(KEYS, KEYS, TEXT, KEY, KEY).map(([put, gone, v, gte, lt]) => ({
    name: `transact ${String(put)} -${String(gone)} ${v} ${gte}..${lt}`,
    run: (s: Store, c: Coll) =>
      s
        .transact((tx) => {
          for (const k of put) tx.put(c, k, v)
          for (const k of gone) tx.delete(c, k)
          const seen = [tx.getMany(c, [...put, ...gone]), put.map((k) => tx.get(c, k)), gone.map((k) => tx.has(c, k)), tx.range(c, { gte, reverse: true }).toArray()]
          return [seen, tx.deleteRange(c, { gte, lt }), tx.range(c).toArray()]
        })
        .then(({ result }) => result),
  })),
  fc.tuple(KEY, KEY, KEY, TEXT).map(([read, other, meanwhile, v]) => ({
    name: `phases ${read} ${other}, meanwhile ${meanwhile}: ${v}`,
    run: async (s: Store, c: Coll) => {
      let runs = 0
      const { result } = await s.transact({
        keys: { read: [c.key(read), c.key(other)] },
        preflight: async (ctx) => {
          const seen = [ctx.get(c, read), ctx.get(c, other)]
          if (runs++ === 0) await c.put(meanwhile, v)
          return seen
        },
        apply: (tx, seen) => {
          tx.put(c, read, `${v}${runs}`)
          return seen
        },
      })
      return [result, runs]
    },
  })),
)

test('codecs that use their memory over and over store and find what others do', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(CALLS, { maxLength: 20 }), async (calls) => {
      const [store, model] = [await openStore(t), await openStore(t)]
      const [scratched, own] = [store.collection('c', scratchCodecs()), model.collection('c', OWN)]
      for (const { name, run } of calls) {
        const [found, expected] = [await run(store, scratched), await run(model, own)] as [{ seq?: unknown }, { seq?: unknown }]
        if (found?.seq === undefined) t.deepEqual(found, expected, name)
        t.deepEqual(scratched.range().toArray(), own.range().toArray(), name)
      }
      await Promise.all([store.close(), model.close()])
    }),
    { numRuns: 40 },
  )
})

test('a binary key is copied before its value is encoded, and when a preflight has read it', async (t) => {
  const store = await openStore(t)
  const scratch = Buffer.from('A')
  const value: Codec<string> = {
    name: 'scratch',
    encode: (text) => {
      scratch.write('Z')
      return text
    },
    decode: (bytes) => bytes.toString(),
  }
  const c = store.collection('c', { key: binary(), value })
  await c.put(scratch, 'of A')
  scratch.write('B')
  store.apply((tx) => tx.put(c, scratch, 'of B'))
  t.deepEqual(
    c
      .range()
      .toArray()
      .map(([key, text]) => [key.toString(), text]),
    [
      ['A', 'of A'],
      ['B', 'of B'],
    ],
  )

  const plain = store.collection('plain', { key: binary(), value: utf8() })
  let runs = 0
  await store.transact({
    keys: { read: [plain.key(Buffer.from('C')), plain.key(Buffer.from('D'))] },
    preflight: async (ctx) => {
      scratch.write('C')
      const found = ctx.get(plain, scratch)
      scratch.write('D')
      ctx.get(plain, scratch)
      if (runs++ === 0) await plain.put(Buffer.from('C'), 'theirs')
      return found
    },
    apply: (tx, found) => {
      if (found === undefined) tx.put(plain, Buffer.from('C'), 'mine')
    },
  })
  t.deepEqual([runs, plain.get(Buffer.from('C'))], [2, 'theirs'])
})

test('keys, declared or locked or waiting, are those of the call', async (t) => {
  const store = await openStore(t)
  const c = store.collection('c', { key: binary(), value: utf8() })
  const scratch = Buffer.from('A')
  const ref = c.key(scratch)
  const span = c.keys({ gte: scratch, lte: scratch })
  scratch.write('B')
  const { readKeys } = await store.check({ keys: { read: [ref, span] }, preflight: () => {} })
  t.deepEqual(
    readKeys.map(({ key, range }) => Buffer.from((key ?? (range as { gte: Uint8Array }).gte) as Uint8Array).toString()),
    ['A', 'A'],
  )
  const pause = await store.pauseIngestion()
  const waiting = [c.put(scratch, 'of B'), c.delete(scratch)]
  const appended = store.append([1])
  scratch.write('C')
  pause.release()
  await Promise.all([...waiting, appended])
  t.is(c.range().count(), 0)
  const guard = await store.locks.acquire({ write: [scratch] })
  scratch.write('D')
  t.is(store.locks.tryAcquire({ write: ['C'] }), undefined)
  guard.release()
})

test("a set of locks that is read by code of the user's is that set, whatever else is locked meanwhile", async (t) => {
  const store = await openStore(t)
  const keys = ['first', 'second']
  Object.defineProperty(keys, 1, {
    enumerable: true,
    get: () => {
      store.locks.tryAcquire({ write: ['inner'] })?.release()
      return 'second'
    },
  })
  for (const acquire of [
    () => store.locks.acquire({ write: keys }),
    () => store.locks.tryAcquire({ write: keys }),
    () => store.locks.acquire({ write: keys }, { timeoutMs: 0 }),
  ]) {
    const guard = await acquire()
    t.deepEqual(
      ['first', 'second', 'inner'].map((key) => {
        const other = store.locks.tryAcquire({ write: [key] })
        other?.release()
        return other === undefined
      }),
      [true, true, false],
    )
    guard?.release()
  }
})

test('an iteration that its own codec goes on with gives each entry once, with its own value', async (t) => {
  const store = await openStore(t)
  await store.transact((tx) => {
    for (let n = 0; n < 300; n++) tx.put(store.state, String(n).padStart(3, '0'), String(n).padStart(3, '0'))
  })
  const seen: [string, unknown][] = []
  let iteration: Iterator<[string, unknown]> | undefined
  let depth = 0
  const again = (): void => {
    if (iteration === undefined || depth++ % 3 !== 0) return
    const { value, done } = iteration.next()
    if (done !== true) seen.push(value)
  }
  const key: KeyCodec<string> = {
    name: 'utf8',
    ordered: true,
    encode: (text) => text,
    decode: (bytes) => {
      const text = bytes.toString()
      again()
      return text
    },
  }
  const value: Codec<unknown> = {
    name: 'json',
    encode: (v) => JSON.stringify(v),
    decode: (bytes) => {
      const parsed: unknown = JSON.parse(bytes.toString())
      again()
      return parsed as string
    },
  }
  const texts: readonly object[] = [{ key }, { value }, { key, value }]
  for (const codecs of texts) {
    const run = (range: Iterable<[string, unknown]>): void => {
      seen.length = 0
      iteration = range[Symbol.iterator]()
      for (let step = iteration.next(); step.done !== true; step = iteration.next()) seen.push(step.value)
      iteration = undefined
      t.is(seen.length, 300)
      t.true(seen.every(([k, v]) => k === v))
      t.is(new Set(seen.map(([k]) => k)).size, 300)
    }
    run(store.collection<string, unknown>('state', codecs).range())
    store.apply((tx) => {
      for (let n = 0; n < 300; n += 2) tx.put(store.state, String(n).padStart(3, '0'), String(n).padStart(3, '0'))
      run(tx.range(store.collection<string, unknown>('state', codecs)))
    })
  }
})

test('a batch of events has the ids that it tells, and leaves what was written beside it when it fails', async (t) => {
  const store = await openStore(t)
  const at = (id: number): unknown => store.event(id)?.event
  const ids: Record<string, number> = {}
  await store.transact((tx) => {
    const beside = (name: string): never =>
      ({
        toJSON: () => {
          ids[name] = tx.append(name)
          return 'own'
        },
      }) as never
    const told = tx.appendAll([beside('first'), 'second', beside('third')])
    Object.assign(ids, { from: told?.first, to: told?.last })
    t.throws(
      () =>
        tx.appendAll([
          beside('kept'),
          {
            toJSON: () => {
              throw new Error('no')
            },
          } as never,
        ]),
      { code: 'ERR_CODEC' },
    )
  })
  t.deepEqual(
    ['first', 'third', 'kept'].map((name) => at(ids[name] as number)),
    ['first', 'third', 'kept'],
  )
  t.deepEqual(
    [at(ids['from'] as number), at((ids['from'] as number) + 1), at(ids['to'] as number), (ids['to'] as number) - (ids['from'] as number)],
    ['own', 'second', 'own', 2],
  )
})
