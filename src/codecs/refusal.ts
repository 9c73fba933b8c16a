// What a codec of ours refuses a value with, told from whatever else is thrown while it works: schemas, `toJSON`, upcasters and codecs are the user's code,
// and what that throws may be an error of this package too, of another store perhaps. Known by a mark on the error itself, so also to other copies.
import type { LedgerstoneError } from '../errors.ts'

const REFUSAL = Symbol.for('ledgerstone.refusal')

/** Marks a codec's own word. */
export function refusal(error: LedgerstoneError): LedgerstoneError {
  return Object.defineProperty(error, REFUSAL, { value: true, configurable: true })
}

/** Whether it is a codec's own word, and not one that has been passed on before: from then on it is an error like any other. */
export function takeRefusal(thrown: unknown): thrown is LedgerstoneError {
  if (typeof thrown !== 'object' || thrown === null || !Object.hasOwn(thrown, REFUSAL)) return false
  return Reflect.deleteProperty(thrown, REFUSAL)
}
