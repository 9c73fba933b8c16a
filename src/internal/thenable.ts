// What `await` waits for, and what was given where nothing is awaited.
import { isPromise } from './platform.ts'

// oxlint-disable-next-line typescript/unbound-method -- called on a promise below
const { then } = Promise.prototype

/** Whether `value` is a promise, of whatever make. */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return ((typeof value === 'object' && value !== null) || typeof value === 'function') && typeof (value as { then?: unknown }).then === 'function'
}

/** Of a promise that a function of the user's gave where a value was wanted, and that is refused for it: how it ends is nobody's. */
export function leaveUnheard(refused: unknown): void {
  if (isPromise(refused)) void then.call(refused, undefined, () => {})
}
