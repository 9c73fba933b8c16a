// utf8 and binary, as keys and as values.
import test from 'ava'
import { binary, utf8 } from '../../src/index.ts'

test('utf8 takes strings that UTF-8 can say', (t) => {
  t.is(utf8().encode('ü€𝄞'), 'ü€𝄞')
  t.is(utf8().decode(Buffer.from('ü€𝄞')), 'ü€𝄞')
  for (const lone of ['\ud800', 'a\udc00b', '\udc00\ud800']) t.throws(() => utf8().encode(lone), { instanceOf: TypeError })
  t.throws(() => utf8().encode(1 as never), { code: 'ERR_INVALID_ARGUMENT' })
})

test('binary takes any Uint8Array and nothing else', (t) => {
  const bytes = new Uint8Array([1, 2])
  t.is(binary().encode(bytes), bytes)
  t.is(binary().encode(Buffer.from('a')).length, 1)
  for (const wrong of ['a', [1], new ArrayBuffer(1), new Uint16Array(1), new DataView(new ArrayBuffer(1)), null]) {
    t.throws(() => binary().encode(wrong as never), { code: 'ERR_INVALID_ARGUMENT' })
  }
})

test('codecs of the same name are the same object', (t) => {
  t.is(utf8(), utf8<'a' | 'b'>() as never)
  t.is(binary(), binary())
  t.deepEqual([utf8().name, binary().name], ['utf8', 'binary'])
  t.true(utf8().ordered && binary().ordered)
})
