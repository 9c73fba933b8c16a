// The json codec by itself: what it says, what it refuses, and what a schema adds.
import test from 'ava'
import { nameOfCodec } from '../../src/codecs/check-codec.ts'
import { json, ValidationError, type StandardSchemaV1 } from '../../src/index.ts'

interface Line {
  sku: string
}
interface Order {
  lines: Line[]
}

/** A schema that trims the sku of each line and gives every order a state, as a library's would. */
const order: StandardSchemaV1<Order, Order & { state: string }> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate(value) {
      const { lines } = value as Order
      const bad = lines.findIndex((line) => typeof line.sku !== 'string')
      if (bad >= 0) return { issues: [{ message: 'not a string: secret', path: ['lines', bad, { key: 'sku' }] }] }
      return { value: { lines: lines.map(({ sku }) => ({ sku: sku.trim() })), state: 'new' } }
    },
  },
}

test('values come back as JSON says them', (t) => {
  const codec = json()
  for (const value of [null, true, 0, -1.5, '', 'text', 'ü€𝄞', '\ud800', [], [1, [2]], {}, { a: { b: null } }]) {
    t.deepEqual(codec.decode(Buffer.from(codec.encode(value) as string, 'utf8')), value)
  }
})

test('a function that makes a codec is told from a codec', (t) => {
  t.throws(() => nameOfCodec(json, 'value'), { code: 'ERR_INVALID_ARGUMENT', message: /has to be called: argument=`value`/ })
  t.throws(() => nameOfCodec({}, 'value'), { code: 'ERR_INVALID_ARGUMENT', message: /^a codec has encode and decode: argument=`value`/ })
  t.notThrows(() => nameOfCodec(json(), 'value'))
})

test('what JSON cannot say is refused', (t) => {
  const codec = json<unknown>()
  const cycle: unknown[] = []
  cycle.push(cycle)
  for (const value of [undefined, () => {}, Symbol('s'), 1n, cycle, { toJSON: () => undefined }]) {
    t.throws(() => codec.encode(value), { instanceOf: TypeError })
  }
})

test('without a schema it is always the same codec', (t) => {
  t.is(json(), json<Order>() as never)
  t.is(json().name, 'json')
  t.is(json(order).name, 'json')
})

test('a schema gives what is stored', (t) => {
  t.deepEqual(JSON.parse(json(order).encode({ lines: [{ sku: ' x ' }] }) as string), { lines: [{ sku: 'x' }], state: 'new' })
})

test('a refused value raises the issues and names the place, not the value', (t) => {
  const error = t.throws(() => json(order).encode({ lines: [{ sku: 'x' }, { sku: 1 as never }] }), { instanceOf: ValidationError })
  t.is(error.code, 'ERR_VALIDATION')
  t.is(error.issues.length, 1)
  t.true(error.message.endsWith('path=lines[1].sku'))
  t.false(error.message.includes('secret'))
})

test('a schema that validates asynchronously is refused', (t) => {
  const later: StandardSchemaV1<string> = { '~standard': { version: 1, vendor: 'test', validate: () => Promise.reject(new Error('unheard')) } }
  t.throws(() => json(later).encode('x'), { instanceOf: TypeError, message: /asynchronously/ })
})

test('a schema is not run on reading', (t) => {
  t.deepEqual(json(order).decode(Buffer.from('{"lines":[{"sku":1}]}')) as unknown, { lines: [{ sku: 1 }] })
})

test('what is no schema is an argument mistake', (t) => {
  for (const schema of [null, {}, { '~standard': {} }, 'x']) {
    t.throws(() => json(schema as never), { code: 'ERR_INVALID_ARGUMENT' })
  }
})
