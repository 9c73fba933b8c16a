// Checks of arguments. Each error says which argument is wrong and what is needed, before anything else happens.
import { fileURLToPath } from 'node:url'
import { invalidArgument } from '../errors.ts'
import { isAbortSignal, urlText } from './platform.ts'

/** An options object with the `known` names only; `undefined` is an empty one. */
export function checkOptions<T extends object>(value: T | undefined, known: ReadonlySet<string>, argument: string): void {
  if (value === undefined) return
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalidArgument(argument, 'options are an object')
  for (const name of Object.keys(value)) if (!known.has(name)) throw invalidArgument(argument === 'options' ? name : `${argument}.${name}`, 'unknown option')
}

/** A safe integer from `min` on, or undefined. */
export function checkInteger(value: unknown, min: number, argument: string): void {
  if (value === undefined) return
  if (!Number.isSafeInteger(value) || (value as number) < min) throw invalidArgument(argument, `an integer from ${min} on is needed`)
}

/** A power of two, or undefined. */
export function checkPowerOfTwo(value: unknown, argument: string): void {
  if (value === undefined || (Number.isSafeInteger(value) && (value as number) > 0 && Number.isInteger(Math.log2(value as number)))) return
  throw invalidArgument(argument, 'a power of two is needed')
}

/** A count: an integer >= 0 or Infinity; undefined means Infinity. */
export function checkedLimit(value: unknown, argument: string): number {
  if (value === undefined || value === Infinity) return Infinity
  checkInteger(value, 0, argument)
  return value as number
}

/** A boolean, or undefined. */
export function checkBoolean(value: unknown, argument: string): void {
  if (value !== undefined && typeof value !== 'boolean') throw invalidArgument(argument, 'a boolean is needed')
}

/** An AbortSignal, or undefined. */
export function checkSignal(value: unknown, argument: string): void {
  if (value !== undefined && !isAbortSignal(value)) throw invalidArgument(argument, 'an AbortSignal is needed')
}

/** The signal of options that may have one. Read once: it may be a getter. */
export function signalOf(options: { readonly signal?: AbortSignal | undefined } | undefined): AbortSignal | undefined {
  if (options === undefined) return undefined
  const { signal } = options
  checkSignal(signal, 'signal')
  return signal
}

/** A function. */
export function checkFunction(value: unknown, argument: string): void {
  if (typeof value !== 'function') throw invalidArgument(argument, 'a function is needed')
}

/** A path in the file system, given as a string or a `file:` URL. */
export function checkedPath(value: unknown, argument: string): string {
  let path = value
  const url = urlText(value)
  if (url !== undefined) {
    if (!/^file:/i.test(url)) throw invalidArgument(argument, 'a URL of the file system begins with file:')
    try {
      path = fileURLToPath(url)
    } catch {
      throw invalidArgument(argument, 'the URL names no path of this system')
    }
  }
  if (typeof path !== 'string' || path === '' || path.includes('\0')) throw invalidArgument(argument, 'a path is a string that is not empty, or a file: URL')
  return path
}
