// The table of errors: classes, codes and fields, however they come into being.
import test from 'ava'
import { compareDurability, LedgerstoneError, LimitError, PoisonedError } from '../../src/index.ts'
import { errorFromRecord, errorOf, invalidArgument } from '../../src/errors.ts'

test('a native record becomes an error of its class, with its fields and causes', (t) => {
  const error = errorFromRecord({
    code: 'ERR_POISONED',
    message: 'the store stopped',
    details: {},
    cause: { code: 'ERR_IO', message: 'fdatasync failed', details: { errno: 5, syscall: 'fdatasync', path: '/x' } },
  })
  t.true(error instanceof PoisonedError && error instanceof LedgerstoneError && error instanceof Error)
  t.is(error.name, 'PoisonedError')
  t.false(error.retryable)
  t.like(error.cause, { name: 'IoError', code: 'ERR_IO', errno: 5, syscall: 'fdatasync', path: '/x' })
})

test('a code without a class carries its fields all the same', (t) => {
  const error = errorOf('ERR_NOT_FOUND', 'there is no store', { path: '/x' })
  t.is(error.constructor, LedgerstoneError)
  t.like(error, { name: 'LedgerstoneError', code: 'ERR_NOT_FOUND', path: '/x', cause: undefined })
  t.false('cause' in error)
})

test('what may succeed later is retryable', (t) => {
  for (const code of ['ERR_BUSY', 'ERR_BACKPRESSURE', 'ERR_NO_SPACE'] as const) t.true(errorOf(code, '').retryable)
  for (const code of ['ERR_LIMIT', 'ERR_POISONED', 'ERR_CLOSED', 'ERR_IO'] as const) t.false(errorOf(code, '').retryable)
})

test('messages say what happened, then the variables', (t) => {
  const error = errorOf('ERR_LIMIT', 'the value is too large: limit=`valueBytes` size=5 max=4', { limit: 'valueBytes', size: 5, max: 4 })
  t.true(error instanceof LimitError && error.limit === 'valueBytes' && error.size === 5 && error.max === 4)
  t.is(invalidArgument('path', 'a path is needed').message, 'a path is needed: argument=`path`')
})

test('levels are ordered', (t) => {
  t.is(compareDurability('applied', 'written'), -1)
  t.is(compareDurability('durable', 'written'), 1)
  t.is(compareDurability('durable', 'durable'), 0)
  for (const wrong of ['flushed', 'toString', '__proto__', 1, null]) t.throws(() => compareDurability(wrong as never, 'applied'), { code: 'ERR_INVALID_ARGUMENT' })
})
