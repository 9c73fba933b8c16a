// Events in envelopes: what is stored, what is read, and every step from an old version to the current one.
import test from 'ava'
import fc from 'fast-check'
import { type Codec, envelope, json, type Json, type StandardSchemaV1, utf8 } from '../../src/index.ts'
import { codeOf, openStore } from '../support/store.ts'
import { errorOf, expectError } from '../errors/expect-error.ts'

interface Types {
  opened: { owner: string }
  deposited: { cents: number; currency: string }
  closed: null
}

/** The same events, as they were written once. */
const first = envelope<{ opened: { owner: string }; deposited: { amount: number }; closed: null }>({ types: { opened: {}, deposited: {}, closed: {} } })
const second = envelope<{ deposited: { cents: number } }>({
  types: { deposited: { version: 2, upcast: { 1: (data: { amount: number }) => ({ cents: data.amount * 100 }) } } },
})
const current = envelope<Types>({
  types: {
    opened: { version: undefined, upcast: {} },
    deposited: {
      version: 3,
      upcast: {
        1: (data: { amount: number }) => ({ cents: Math.round(data.amount * 100) }),
        2: (data: { cents: number }) => ({ ...data, currency: 'EUR' }),
      },
    },
    closed: {},
  },
})

const bytes = (encoded: string | Uint8Array): Buffer => Buffer.from(encoded as string)
const raw = (event: unknown): Buffer => Buffer.from(JSON.stringify(event))

test('an event is stored with its version and comes back as it was', (t) => {
  t.is(current.name, 'envelope(json)')
  const metadata = { correlationId: 'request 17', causationId: 4, by: { name: 'alice' } }
  t.is(current.encode({ type: 'opened', data: { owner: 'x' } }), '{"type":"opened","version":1,"data":{"owner":"x"}}')
  const event = { type: 'deposited', data: { cents: 5, currency: 'CHF' }, metadata } as const
  t.deepEqual(current.decode(bytes(current.encode(event))), { ...event, version: 3 })
  t.deepEqual(current.decode(bytes(current.encode({ type: 'closed', data: null, version: undefined, metadata: undefined }))), { type: 'closed', version: 1, data: null })
  const read = current.decode(bytes(current.encode(event)))
  t.is(current.encode(read), current.encode(event), 'what was read can be written again')
})

test('old versions are brought up step by step, and keep their metadata', (t) => {
  const old = first.encode({ type: 'deposited', data: { amount: 1.5 }, metadata: { causationId: 'command 3' } })
  t.deepEqual(second.decode(bytes(old)), { type: 'deposited', version: 2, data: { cents: 150 }, metadata: { causationId: 'command 3' } })
  t.deepEqual(current.decode(bytes(old)), { type: 'deposited', version: 3, data: { cents: 150, currency: 'EUR' }, metadata: { causationId: 'command 3' } })
  const newer = second.encode({ type: 'deposited', data: { cents: 7 } })
  t.deepEqual(current.decode(bytes(newer)), { type: 'deposited', version: 3, data: { cents: 7, currency: 'EUR' } })
})

test('each version goes through exactly the steps from it, in order', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), fc.nat(11), (version, below) => {
      const stored = Math.max(1, version - below)
      const upcast = Object.fromEntries(Array.from({ length: version - 1 }, (_, i) => [i + 1, (steps: number[]) => [...steps, i + 1]]))
      const codec = envelope<{ counted: number[] }>({ types: { counted: { version, upcast } } })
      const { data } = codec.decode(raw({ type: 'counted', version: stored, data: [] }))
      t.deepEqual(
        data,
        Array.from({ length: version - stored }, (_, i) => stored + i),
      )
    }),
  )
})

test('what is no event of these types is ERR_CODEC and says why, when it is written and when it is read', async (t) => {
  const cases: Record<string, readonly [found: unknown, message: RegExp]> = {
    'an unknown type': [{ type: 'renamed', version: 1, data: {} }, /^there is no such type of events: type="renamed" codec=envelope\(json\)$/],
    'the name of a method': [{ type: 'toString', version: 1, data: {} }, /no such type of events: type="toString"/],
    'no type': [{ data: {} }, /^an event is an object with a type and data: codec=/],
    'no object': ['opened', /^an event is an object/],
    null: [null, /^an event is an object/],
    'no data': [{ type: 'opened', version: 1 }, /^the event has no data: type="opened"/],
    'metadata that is none': [{ type: 'opened', version: 1, data: {}, metadata: ['a'] }, /^metadata is an object: type="opened"/],
    'something else': [{ type: 'opened', version: 1, data: {}, payload: 5 }, /nothing else: type="opened" part=payload/],
  }
  for (const [what, [found, message]] of Object.entries(cases)) {
    for (const call of [() => current.encode(found as never), () => current.decode(raw(found))]) {
      const error = await errorOf(call)
      t.regex(error.message, message, what)
      expectError(t, error, { code: 'ERR_CODEC', class: 'CodecError', fields: { codec: 'envelope(json)' } })
    }
  }
})

test('a version that is newer, or none, is ERR_CODEC', async (t) => {
  for (const [version, message] of [
    [4, /^the event is of a newer version: type="deposited" version=4 supported=3 codec=/],
    [0, /has no version/],
    [1.5, /has no version/],
    ['2', /has no version/],
    [undefined, /has no version/],
  ] as const) {
    const error = await errorOf(() => current.decode(raw({ type: 'deposited', version, data: {} })))
    t.deepEqual([error.code, message.test(error.message)], ['ERR_CODEC', true], error.message)
  }
  const outdated = await errorOf(() => current.encode({ type: 'deposited', version: 2, data: { cents: 1, currency: 'EUR' } }))
  t.regex(outdated.message, /^the event is not of the current version: type="deposited" version=2 current=3 codec=/)
})

test('an upcaster that throws, waits or gives nothing is ERR_CODEC', async (t) => {
  const cause = new Error('no such owner')
  const upcasts: Record<string, readonly [(data: unknown) => unknown, RegExp]> = {
    throws: [
      () => {
        throw cause
      },
      /^an upcaster has failed: type="opened" from=1 codec=/,
    ],
    waits: [async () => ({}), /^an upcaster gives data, at once: type="opened" from=1/],
    'gives nothing': [() => undefined, /^an upcaster gives data, at once/],
  }
  for (const [what, [upcaster, message]] of Object.entries(upcasts)) {
    const codec = envelope<{ opened: object }>({ types: { opened: { version: 2, upcast: { 1: upcaster } } } })
    const error = await errorOf(() => codec.decode(raw({ type: 'opened', version: 1, data: {} })))
    t.deepEqual([error.code, message.test(error.message), error.cause], ['ERR_CODEC', true, what === 'throws' ? cause : undefined], `${what}: ${error.message}`)
  }
})

test('types are checked when the codec is made', async (t) => {
  const step = (data: unknown): unknown => data
  const wrong: Record<string, readonly [argument: string, options: unknown]> = {
    'no options': ['options', undefined],
    'an unknown option': ['colour', { types: {}, colour: 'red' }],
    'no types': ['types', {}],
    'a list of types': ['types', { types: ['opened'] }],
    'a type that is none': ['types.opened', { types: { opened: 5 } }],
    'a type without options': ['types.opened', { types: { opened: undefined } }],
    'an unknown option of a type': ['types.opened.colour', { types: { opened: { colour: 'red' } } }],
    'version 0': ['types.opened.version', { types: { opened: { version: 0 } } }],
    'a missing upcaster': ['types.opened.upcast', { types: { opened: { version: 2 } } }],
    'a missing step': ['types.opened.upcast', { types: { opened: { version: 4, upcast: { 1: step, 3: step } } } }],
    'a version that nobody can have reached': ['types.opened.upcast', { types: { opened: { version: 2 ** 40, upcast: { 1: step } } } }],
    'an upcaster that is none': ['types.opened.upcast.1', { types: { opened: { version: 2, upcast: { 1: 'step' } } } }],
    'an upcaster of the current version': ['types.opened.upcast.2', { types: { opened: { version: 2, upcast: { 1: step, 2: step } } } }],
    'an upcaster of no version': ['types.opened.upcast.latest', { types: { opened: { version: 2, upcast: { 1: step, latest: step } } } }],
    'an upcaster of nothing': ['types.opened.upcast.1', { types: { opened: { upcast: { 1: step } } } }],
    'a schema that is none': ['types.opened.schema', { types: { opened: { schema: {} } } }],
    'a codec that is none': ['codec', { types: {}, codec: {} }],
    'a codec with a name too long': ['codec', { types: {}, codec: { ...json(), name: 'x'.repeat(250), encode: step, decode: step } }],
  }
  for (const [what, [argument, options]] of Object.entries(wrong)) {
    const error = await errorOf(() => envelope(options as never))
    t.deepEqual([error.code, (error as unknown as { argument: string }).argument], ['ERR_INVALID_ARGUMENT', argument], `${what}: ${error.message}`)
  }
})

test('a schema is run on the data that is written, and its output is stored', async (t) => {
  const trimmed: StandardSchemaV1<unknown, { owner: string }> = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value) => {
        const { owner } = value as { owner: unknown }
        return typeof owner === 'string' ? { value: { owner: owner.trim() } } : { issues: [{ message: 'secret', path: ['owner'] }] }
      },
    },
  }
  const codec = envelope<{ opened: { owner: string } }>({ types: { opened: { schema: trimmed } } })
  t.deepEqual(codec.decode(bytes(codec.encode({ type: 'opened', data: { owner: ' x ' } }))).data, { owner: 'x' })
  const error = await errorOf(() => codec.encode({ type: 'opened', data: { owner: 5 } as never }))
  t.deepEqual([error.code, error.message.endsWith('path=owner')], ['ERR_VALIDATION', true], error.message)
})

test('any codec may be inside', (t) => {
  const reversed: Codec<Json> = {
    name: 'reversed',
    encode: (value) => Buffer.from(JSON.stringify(value)).toReversed(),
    decode: (stored) => JSON.parse(Buffer.from(stored.toReversed()).toString()) as Json,
  }
  const codec = envelope<{ opened: { owner: string } }>({ types: { opened: {} }, codec: reversed })
  t.is(codec.name, 'envelope(reversed)')
  t.deepEqual(codec.decode(bytes(codec.encode({ type: 'opened', data: { owner: 'ü' } }))), { type: 'opened', version: 1, data: { owner: 'ü' } })
})

test('a store keeps events in envelopes, reads those of older code, and refuses those of newer', async (t) => {
  const old = await openStore(t, { events: first })
  await old.appendAll([
    { type: 'opened', data: { owner: 'alice' } },
    { type: 'deposited', data: { amount: 2 }, metadata: { correlationId: 'r' } },
  ])
  const { path } = old
  await old.close()

  const store = await openStore(t, { events: current }, path)
  store.apply((tx) => {
    tx.append({ type: 'deposited', data: { cents: 3, currency: 'CHF' }, metadata: { causationId: 2 } })
  })
  const expected = [
    { type: 'opened', version: 1, data: { owner: 'alice' } },
    { type: 'deposited', version: 3, data: { cents: 200, currency: 'EUR' }, metadata: { correlationId: 'r' } },
    { type: 'deposited', version: 3, data: { cents: 3, currency: 'CHF' }, metadata: { causationId: 2 } },
  ]
  t.deepEqual([...store.events()].map(({ event }) => event) as unknown[], expected)
  await store.flush()
  t.deepEqual(store.event(2)?.event as unknown, expected[1])
  expectError(t, await errorOf(() => store.append({ type: 'other', data: {} } as never)), { code: 'ERR_CODEC', class: 'CodecError', fields: { codec: 'envelope(json)' } })
  t.is(store.meta().nextEventId, 4)
  await store.close()

  const older = await openStore(t, { events: first }, path)
  t.is(older.event(2)?.event.version, 1)
  t.is(await codeOf(() => older.event(3)), 'ERR_CODEC')
  await older.close()
  t.is(await codeOf(() => openStore(t, {}, path)), 'ERR_CODEC_MISMATCH')
})

test('as the values of a collection, errors name it', async (t) => {
  const store = await openStore(t)
  const notes = store.collection('notes', { key: utf8(), value: envelope<{ note: string }>({ types: { note: {} } }) })
  await notes.put('a', { type: 'note', data: 'text' })
  t.deepEqual(notes.get('a'), { type: 'note', version: 1, data: 'text' })
  const error = await errorOf(() => notes.put('b', { type: 'other' } as never))
  expectError(t, error, { code: 'ERR_CODEC', class: 'CodecError', fields: { codec: 'envelope(json)', collection: 'notes' } })
})
