// Repeats calls that may succeed unchanged: those whose error has `retryable` true, and no others.
import { invalidArgument, LedgerstoneError } from './errors.ts'
import { checkFunction, checkInteger, checkOptions, checkSignal } from './internal/validate.ts'
import { MAX_TIMER_MS, sleep, throwIfAborted } from './internal/platform.ts'

const OPTIONS: ReadonlySet<string> = new Set(['attempts', 'minDelayMs', 'maxDelayMs', 'signal'])

/** How often to try, and how long to wait in between. */
export interface RetryOptions {
  /** How often `fn` is called at most: an integer from 1. @default 5 */
  attempts?: number | undefined
  /** The longest wait before the second attempt, in ms, doubled before each further one. @default 10 */
  minDelayMs?: number | undefined
  /** No wait is longer, in ms. @default 1000 */
  maxDelayMs?: number | undefined
  /** Ends the waiting and the retrying with the signal's reason. `fn` itself has to listen to it separately. @default none */
  signal?: AbortSignal | undefined
}

/**
 * Calls `fn` until it succeeds. When it fails with an error of this package that is `retryable`, it is called again after a wait. The wait is random, so that
 * callers that got into each other's way do not meet again: from a half to the whole of a limit that doubles each time. Any other error, and that of the last
 * attempt, is passed on unchanged. Rejects with `ERR_INVALID_ARGUMENT` for wrong options.
 *
 * @example
 * ```ts
 * await retry(() => store.transact((tx) => tx.append({ account: 'anna', cents: 5 })), { attempts: 10 })
 * ```
 */
export async function retry<T>(fn: () => T | PromiseLike<T>, options?: RetryOptions): Promise<Awaited<T>> {
  checkFunction(fn, 'fn')
  checkOptions(options, OPTIONS, 'options')
  const { attempts = 5, minDelayMs = 10, maxDelayMs = 1_000, signal } = options ?? {}
  checkInteger(attempts, 1, 'attempts')
  checkInteger(minDelayMs, 0, 'minDelayMs')
  checkInteger(maxDelayMs, 0, 'maxDelayMs')
  if (maxDelayMs > MAX_TIMER_MS) throw invalidArgument('maxDelayMs', `an integer up to ${MAX_TIMER_MS} is needed`)
  checkSignal(signal, 'signal')
  for (let attempt = 1; ; attempt++) {
    throwIfAborted(signal)
    try {
      return await fn()
    } catch (error) {
      if (attempt >= attempts || !(error instanceof LedgerstoneError && error.retryable)) throw error
    }
    await wait(delayMs(attempt, minDelayMs, maxDelayMs), signal)
  }
}

/** How long to wait after so many failed attempts. @internal */
export function delayMs(attempts: number, minDelayMs: number, maxDelayMs: number): number {
  return (Math.min(maxDelayMs, minDelayMs * 2 ** (attempts - 1)) * (1 + Math.random())) / 2
}

async function wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal })
  } catch (error) {
    throwIfAborted(signal) // with its reason; the timer's own error is a different one
    throw error
  }
}
