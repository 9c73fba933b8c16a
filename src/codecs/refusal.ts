// Recognises the refusal of a built-in codec among everything that is thrown while it works. Schemas, `toJSON`, upcasters and codecs are user code, and may
// throw an error of this package too, perhaps of another store. A mark on the error itself identifies it, also for other copies of the package.
import type { LedgerstoneError } from '../errors.ts'

const REFUSAL = Symbol.for('ledgerstone.refusal')

/** Marks the refusal of a codec. */
export function refusal(error: LedgerstoneError): LedgerstoneError {
  return Object.defineProperty(error, REFUSAL, { value: true, configurable: true })
}

/** Whether it is a codec's refusal that has not been passed on before: after that it is an error like any other. */
export function takeRefusal(thrown: unknown): thrown is LedgerstoneError {
  if (typeof thrown !== 'object' || thrown === null || !Object.hasOwn(thrown, REFUSAL)) return false
  return Reflect.deleteProperty(thrown, REFUSAL)
}
