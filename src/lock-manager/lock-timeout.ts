// How long a set of locks is waited for, and what the caller reads when that was not enough.
import { errorOf, invalidArgument, type LedgerstoneError } from '../errors.ts'
import { MAX_TIMER_MS } from '../internal/platform.ts'

/** How long `acquire` waits by default. */
export const DEFAULT_LOCK_TIMEOUT_MS = 5_000

/** A time limit for a set of locks, in ms. @throws `ERR_INVALID_ARGUMENT` */
export function checkedTimeout(value: unknown): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_TIMER_MS) return value as number
  throw invalidArgument('timeoutMs', `an integer from 0 to ${MAX_TIMER_MS} is needed`)
}

/** `ERR_LOCK_TIMEOUT`: the set waited for `waitedMs`, at last for `stripe`, which others have had for `heldMs`. */
export function lockTimeout(waitedMs: number, stripe: number, heldMs: number): LedgerstoneError {
  const message = `the locks were not granted in time: waitedMs=${waitedMs} stripe=${stripe} heldMs=${heldMs}`
  return errorOf('ERR_LOCK_TIMEOUT', message, { waitedMs, stripe, heldMs })
}
