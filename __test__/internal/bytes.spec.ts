// Text and bytes: the short cuts give what the long way gives.
import test from 'ava'
import { isBytes, isWellFormed, readLatin1, readUtf8, utf8AsLatin1, writeLatin1, writeUtf8 } from '../../src/internal/bytes.ts'

const TEXTS = ['', 'a', 'ascii only', 'ü', 'a€b', '𝄞', 'x'.repeat(39), 'x'.repeat(40), 'x'.repeat(41), `${'x'.repeat(39)}ü`, 'é'.repeat(1000), '\0\x7f\x80\xff']

test('text is written as UTF-8, however long it is', (t) => {
  for (const text of TEXTS) {
    const expected = Buffer.from(text, 'utf8')
    const buffer = Buffer.alloc(expected.length + 8, 0xee)
    t.is(writeUtf8(buffer, text, 4), expected.length)
    t.deepEqual(buffer.subarray(4, 4 + expected.length), expected)
    t.is(buffer[4 + expected.length], 0xee)
    t.is(readUtf8(buffer, 4, 4 + expected.length), text)
    t.is(utf8AsLatin1(text), expected.toString('latin1'))
  }
})

test('bytes as a string compare as the bytes do', (t) => {
  const keys = [[0], [0, 0], [0, 255], [127], [128], [255], [255, 0]].map((bytes) => Buffer.from(bytes))
  const sorted = keys.map((key) => readLatin1(key, 0, key.length)).toSorted((a, b) => (a < b ? -1 : 1))
  t.deepEqual(
    sorted.map((key) => Buffer.from(key, 'latin1')),
    keys,
  )
  const written = Buffer.alloc(2)
  t.is(writeLatin1(written, '\xff\0', 0), 2)
  t.deepEqual(written, Buffer.from([255, 0]))
})

test('a lone surrogate is found', (t) => {
  t.true(isWellFormed('a𝄞'))
  t.false(isWellFormed('a\ud834'))
})

test('only a Uint8Array is bytes', (t) => {
  t.true(isBytes(Buffer.alloc(1)))
  t.true(isBytes(new Uint8Array(0)))
  for (const other of [new Uint8ClampedArray(1), new Int8Array(1), new ArrayBuffer(1), 'a', null, undefined]) t.false(isBytes(other))
})
