// Whose error a codec has thrown. Bug: a codec of the user's, a schema or a `toJSON` that passed on an error of this package (of another store, say) had it
// handed to the caller as this store's own word. Mechanism: the error was known by its class. Fix: what a codec of ours says bears a mark, which
// goes when it is handed on; everything else is the cause of an ERR_CODEC.
import test from 'ava'
import { binary, type Codec, envelope, json, type KeyCodec, type StandardSchemaV1, utf8 } from '../../src/index.ts'
import { openStore } from '../support/store.ts'

interface Told {
  code: string
  cause?: unknown
  issues?: unknown
  codec?: string
  collection?: string
}

const refuseAll: StandardSchemaV1 = { '~standard': { version: 1, vendor: 'test', validate: () => ({ issues: [{ message: 'no' }] }) } }

function thrown(work: () => unknown): unknown {
  try {
    work()
    return undefined
  } catch (error) {
    return error
  }
}

function throwing(error: unknown): Codec<unknown> & KeyCodec<unknown> {
  const fail = (): never => {
    throw error
  }
  return { name: 'own', ordered: true, encode: fail, decode: fail, encodePrefix: fail }
}

test('an error of another store is the cause, in keys, values, events, schemas, toJSON and upcasters', async (t) => {
  const other = await openStore(t)
  const strict = other.collection('strict', { key: utf8(), value: json(refuseAll as never) })
  const others: Record<string, unknown> = {
    ERR_VALIDATION: thrown(() => other.apply((tx) => tx.put(strict, 'a', 1 as never))),
    ERR_INVALID_ARGUMENT: thrown(() => other.apply((tx) => tx.put(other.state, 1 as never, 1))),
    ERR_CODEC: thrown(() => other.apply((tx) => tx.put(other.state, 'a', (() => {}) as never))),
    ERR_CLOSED: thrown(() => {
      throw Object.assign(new Error('no class of ours'), { code: 'ERR_CLOSED' })
    }),
  }
  for (const [code, error] of Object.entries(others)) {
    t.is((error as Told).code, code)
    const store = await openStore(t, { events: throwing(error) })
    const values = store.collection('values', { key: utf8(), value: throwing(error) })
    const keys = store.collection('keys', { key: throwing(error), value: json<unknown>() })
    const validated = store.collection('validated', {
      key: utf8(),
      value: json({
        '~standard': {
          version: 1,
          vendor: 'test',
          validate: () => {
            throw error
          },
        },
      } as StandardSchemaV1),
    })
    const upcast = envelope<{ a: unknown }>({
      types: {
        a: {
          version: 2,
          upcast: {
            1: () => {
              throw error
            },
          },
        },
      },
    })
    const calls: Record<string, () => unknown> = {
      value: () => store.apply((tx) => tx.put(values, 'a', 1)),
      key: () => store.apply((tx) => tx.put(keys, 'a', 1)),
      'key of get': () => keys.get('a'),
      prefix: () => keys.range({ prefix: 'a' as never }).toArray(),
      event: () => store.apply((tx) => tx.append(1)),
      schema: () => store.apply((tx) => tx.put(validated, 'a', 1)),
      toJSON: () =>
        store.apply((tx) =>
          tx.put(store.state, 'a', {
            toJSON: () => {
              throw error
            },
          } as never),
        ),
      upcaster: () => upcast.decode(Buffer.from('{"type":"a","version":1,"data":1}')),
    }
    for (const [name, call] of Object.entries(calls)) {
      const told = thrown(call) as Told
      t.deepEqual([told.code, told.cause === error], ['ERR_CODEC', true], `${code} ${name}`)
    }
  }
})

test('a codec that leaves its work to one of ours has its words handed on, once', async (t) => {
  const ours = json(refuseAll as never) as Codec<unknown>
  const store = await openStore(t)
  const values = store.collection('values', {
    key: utf8(),
    value: { name: 'mine', encode: (value: unknown) => ours.encode(value), decode: (bytes: Buffer) => ours.decode(bytes) },
  })
  const keys = store.collection('keys', {
    key: { ...binary(), name: 'mine', ordered: true, encode: (key: Uint8Array) => binary().encode(key), decode: (bytes: Buffer) => bytes },
    value: json<number>(),
  })
  const refused = thrown(() => store.apply((tx) => tx.put(values, 'a', 1))) as Told
  t.deepEqual([refused.code, (refused.issues as unknown[]).length], ['ERR_VALIDATION', 1])
  t.is((thrown(() => keys.get('text' as never)) as Told).code, 'ERR_INVALID_ARGUMENT')
  const again = store.collection('again', { key: utf8(), value: throwing(refused) })
  const told = thrown(() => store.apply((tx) => tx.put(again, 'a', 1))) as Told
  t.deepEqual([told.code, told.cause === refused, told.codec, told.collection], ['ERR_CODEC', true, 'own', 'again'])
})
