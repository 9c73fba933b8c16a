// What a codec has encoded it can decode.
//
// Bug: events were stored that nobody could read any more, and a log keeps them for ever. Mechanism: the envelope looked at the event that it was given,
// and JSON made another one of it: of a function nothing, of a Date a string; text that JSON did not escape was broken by UTF-8. Fix: what comes out of
// an encoder is looked at, before anything is written.
import test from 'ava'
import fc from 'fast-check'
import { type Codec, envelope, json, type StandardSchemaV1, utf8, binary } from '../../src/index.ts'
import { PayloadCodec } from '../../src/codecs/payload-codec.ts'
import { codeOf, openStore } from '../support/store.ts'

/** Whatever a caller could hand in: values of all kinds, and objects that JSON makes something else of. */
const THING: fc.Arbitrary<unknown> = fc.oneof(
  fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
    withBoxedValues: true,
    withSparseArray: true,
    withNullPrototype: true,
  }),
  fc.constantFrom<unknown>(undefined, () => 1, Symbol('x'), Number.NaN, new Date(0), new Date(Number.NaN), Object('text'), '\ud800', Object('\udfff')),
  fc.string(),
  fc.uint8Array(),
  fc.anything().map((given) => ({ toJSON: () => given })),
  fc.anything().map((given) => ({ inner: { toJSON: () => given } })),
)

const makes = (output: () => unknown): StandardSchemaV1<unknown, never> => ({
  '~standard': { version: 1, vendor: 'test', validate: () => ({ value: output() as never }) },
})

/** A binary codec that uses its memory over and over, and drops what it does not know. */
const scratch = Buffer.alloc(1 << 16)
const lossy: Codec<unknown> = {
  name: 'lossy',
  encode: (value) => scratch.subarray(0, scratch.write(JSON.stringify(value) ?? '')),
  decode: (bytes) => {
    const text = bytes.toString()
    scratch.fill(0)
    return JSON.parse(text) as object
  },
}

const types = { plain: {}, 'über"type': { version: 3, upcast: { 1: (data: unknown) => data, 2: (data: unknown) => data } } }
const CODECS: Record<string, (output: () => unknown) => Codec<never, never>> = {
  json: () => json() as never,
  'json with a schema': (output) => json(makes(output)),
  utf8: () => utf8() as never,
  binary: () => binary() as never,
  envelope: () => envelope({ types }) as never,
  'envelope with a schema': (output) =>
    envelope({ types: { plain: { schema: makes(output) }, 'über"type': { version: 3, upcast: types['über"type'].upcast, schema: makes(output) } } }) as never,
  'envelope over json with a schema': (output) => envelope({ types, codec: json(makes(output)) }) as never,
  "envelope over a codec of the user's": () => envelope({ types, codec: lossy }) as never,
}

const EVENT = fc.record({ type: fc.constantFrom('plain', 'über"type', 'unknown'), data: THING, metadata: THING }, { requiredKeys: ['type', 'data'] })

for (const [name, codecOf] of Object.entries(CODECS)) {
  test(`${name}: what is encoded can be decoded, and is encoded to the same again`, (t) => {
    let read = 0
    fc.assert(
      fc.property(fc.oneof(THING, EVENT), THING, (given, output) => {
        const codec = new PayloadCodec(
          codecOf(() => output),
          'value',
          undefined,
        )
        let encoded: Uint8Array | string
        try {
          encoded = codec.encode(given)
        } catch (error) {
          t.true(['ERR_CODEC', 'ERR_VALIDATION'].includes((error as { code: string }).code), String(error))
          return
        }
        const bytes = Buffer.from(encoded as string)
        if (typeof encoded === 'string') t.is(bytes.toString(), encoded)
        const decoded = codec.fromOwn(Buffer.from(bytes))
        t.not(decoded, undefined)
        read++
        if (name.includes('schema')) return // whose output is of no use as input
        t.deepEqual(Buffer.from(codec.encode(decoded) as string), bytes)
      }),
      { numRuns: 2000 },
    )
    t.true(read > 0 || name === 'envelope over json with a schema', `${read} were read`)
  })
}

test('what JSON does not say of an event is refused when it is written, and the log stays readable', async (t) => {
  const events = envelope<Record<'plain', unknown>>({ types: { plain: {} } })
  const store = await openStore(t, { events })
  const refused: Record<string, object> = {
    'a function': { data: () => 1 },
    'a symbol': { data: Symbol('x') },
    'nothing by toJSON': { data: { toJSON: () => {} } },
    'a Date as metadata': { data: 1, metadata: new Date(0) },
    'a String as metadata': { data: 1, metadata: Object('request 17') },
    'metadata that is a list': { data: 1, metadata: { toJSON: () => [1] } },
    'metadata that is null': { data: 1, metadata: { toJSON: () => null } },
    'metadata that is nothing': { data: 1, metadata: { toJSON: () => {} } },
  }
  for (const [what, event] of Object.entries(refused)) t.is(await codeOf(() => store.append({ type: 'plain', ...event } as never)), 'ERR_CODEC', what)
  for (const data of [null, Number.NaN, new Date(0), { toJSON: () => 'other' }]) await store.append({ type: 'plain', data, metadata: { correlationId: 'é"' } })
  t.deepEqual(
    [...store.events()].map(({ event }) => event.data),
    [null, null, new Date(0).toISOString(), 'other'],
  )
})

test('text that JSON was told to take as it is has to be text', async (t) => {
  const { rawJSON } = JSON as unknown as { rawJSON?: (text: string) => unknown }
  if (rawJSON === undefined) {
    t.pass('Node 20 has no JSON.rawJSON')
    return
  }
  const store = await openStore(t)
  t.is(await codeOf(() => store.append(rawJSON('"\ud800"') as never)), 'ERR_CODEC')
  t.is(await codeOf(() => store.state.put('a', { b: rawJSON('"\ud800"') } as never)), 'ERR_CODEC')
})

test('the name of a codec can be stored', async (t) => {
  const store = await openStore(t)
  for (const name of ['\ud800', 'a\udfff', '', 'x'.repeat(256), 'ü'.repeat(128), 1]) {
    const codec = { ...utf8(), name, ordered: true as const, encode: (text: string) => text, decode: (bytes: Buffer) => bytes.toString() } as never
    t.throws(() => store.collection('c', { value: codec }), { code: 'ERR_INVALID_ARGUMENT' })
    t.throws(() => store.collection('c', { key: codec }), { code: 'ERR_INVALID_ARGUMENT' })
    t.throws(() => envelope({ types: {}, codec }), { code: 'ERR_INVALID_ARGUMENT' })
  }
})
