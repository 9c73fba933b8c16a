// What every error of the package has in common, checked for each that a test provokes.
import type { ExecutionContext } from 'ava'
import * as ledgerstone from '../../src/index.ts'

/** Text that tests store as a value: no message may ever show it. */
export const SECRET = 'do not tell anybody'

/** A field whose value the test cannot know. */
export const ANY_NUMBER: unique symbol = Symbol('any number')
export const ANY_TEXT: unique symbol = Symbol('any text')

/** A row of the table of errors. `fields`: all there are beside code and retryable. */
export interface Row {
  readonly code: ledgerstone.ErrorCode
  readonly class: string
  readonly fields: Readonly<Record<string, unknown>>
  readonly retryable?: boolean
  /** The code of the cause; 'any' for a cause of somebody else's. */
  readonly cause?: string
}

/** What `call` throws or rejects with; fails when it does neither. */
export async function errorOf(call: () => unknown): Promise<ledgerstone.LedgerstoneError> {
  try {
    await call()
  } catch (error) {
    if (error instanceof ledgerstone.LedgerstoneError) return error
    throw new Error(`not an error of this package: ${String(error)}`, { cause: error })
  }
  throw new Error('no error at all')
}

/** Checks an error against its row of the table. */
export function expectError(t: ExecutionContext, error: ledgerstone.LedgerstoneError, row: Row): void {
  const { code, message, cause } = error
  t.is(code, row.code, message)
  t.is(error.name, row.class, message)
  t.true(error.constructor === (ledgerstone as unknown as Record<string, unknown>)[row.class], `${row.class} is exported, and its class`)
  t.is(error.retryable, row.retryable ?? false, message)
  if (row.cause === undefined) t.is(cause, undefined, message)
  else if (row.cause === 'any') t.true(cause instanceof Error, message)
  else t.is((cause as ledgerstone.LedgerstoneError).code, row.cause as ledgerstone.ErrorCode, message)

  const fields = Object.fromEntries(Object.entries(error).filter(([name]) => name !== 'code' && name !== 'retryable'))
  t.deepEqual(Object.keys(fields).toSorted(), Object.keys(row.fields).toSorted(), `fields of ${code}: ${message}`)
  for (const [name, expected] of Object.entries(row.fields)) {
    const found = fields[name]
    if (expected === ANY_NUMBER) t.true(Number.isSafeInteger(found) && (found as number) >= 0, `${name} of ${code}: ${String(found)}`)
    else if (expected === ANY_TEXT) t.true(typeof found === 'string' && found !== '', `${name} of ${code}: ${String(found)}`)
    else t.deepEqual(found, expected, `${name} of ${code}`)
  }
  expectStyle(t, message, fields)
}

/** Lower case, what happened, no full stop; then the variables as name=value. A value of the user's never appears. */
function expectStyle(t: ExecutionContext, message: string, fields: Readonly<Record<string, unknown>>): void {
  t.regex(message, /^[a-z`]/, 'a message begins in lower case')
  t.notRegex(message, /[.!]$/, 'and does not end like a sentence')
  t.false(/\n|undefined=|=undefined|\[object/.test(message), message)
  t.false(message.includes(SECRET), `a value is told: ${message}`)
  for (const [name, value] of Object.entries(fields)) {
    const isTold = typeof value === 'number' || name === 'argument' || name === 'limit' || name === 'option'
    if (isTold && name !== 'errno') t.true(message.includes(String(value)), `${name} is not in the message: ${message}`)
  }
}
