// Promises: what `await` waits for, and promises that are refused because a value was wanted.
import { isPromise } from './platform.ts'

// oxlint-disable-next-line typescript/unbound-method -- called on a promise below
const { then } = Promise.prototype

/** Whether `value` is a promise, of any implementation. */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return ((typeof value === 'object' && value !== null) || typeof value === 'function') && typeof (value as { then?: unknown }).then === 'function'
}

/** For a promise that a user's function returned where a value was wanted, and that is refused: its rejection is not unhandled. */
export function leaveUnheard(refused: unknown): void {
  if (isPromise(refused)) void then.call(refused, undefined, () => {})
}
