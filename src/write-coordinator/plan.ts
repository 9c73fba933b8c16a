// The options of a coordinator and of its calls, checked and with their defaults.
import { rankOf } from '../compare-durability.ts'
import { invalidArgument } from '../errors.ts'
import { MAX_TIMER_MS } from '../internal/platform.ts'
import { checkFunction, checkInteger, checkOptions, checkSignal } from '../internal/validate.ts'
import type { CoordinatorOptions, CoordinatorTypes, Delta, Flusher, SignalOptions, WaitOptions } from './coordinator-types.ts'
import type { RetryPlan } from './flusher-calls.ts'

const OPTIONS: ReadonlySet<string> = new Set(['init', 'context', 'snapshot', 'flusher', 'flush', 'maxPendingBytes', 'durability', 'retry'])
const FLUSH: ReadonlySet<string> = new Set(['bytes', 'intervalMs', 'writes'])
const RETRY: ReadonlySet<string> = new Set(['attempts', 'minDelayMs', 'maxDelayMs'])
const SIGNAL: ReadonlySet<string> = new Set(['signal'])
const WAIT: ReadonlySet<string> = new Set(['timeoutMs', 'signal'])
const FLUSH_BYTES = 64 * 1024 * 1024
const FLUSH_INTERVAL_MS = 1_000
const MIN_DELAY_MS = 10
const MAX_DELAY_MS = 1_000

/** Options with their defaults. */
export interface CoordinatorPlan<T extends CoordinatorTypes> {
  readonly init: (context: T['Context']) => Delta<T>
  readonly context: T['Context']
  readonly snapshot: T['Snapshot']
  readonly flusher: Flusher<T>
  readonly flush: { readonly bytes: number; readonly intervalMs: number; readonly writes: number }
  readonly maxPendingBytes: number
  readonly rank: 0 | 1 | 2
  readonly retry: RetryPlan
}

/** @throws `ERR_INVALID_ARGUMENT` */
export function planOf<T extends CoordinatorTypes>(options: CoordinatorOptions<T>): CoordinatorPlan<T> {
  if (options === undefined) throw invalidArgument('options', 'options are needed')
  checkOptions(options, OPTIONS, 'options')
  const { init, context, snapshot, flusher, flush, maxPendingBytes, durability = 'durable', retry } = options
  checkFunction(init, 'init')
  checkFunction((flusher as Partial<Flusher<T>> | null | undefined)?.flushDelta, 'flusher.flushDelta')
  checkFunction((flusher as Partial<Flusher<T>>).flushStorage, 'flusher.flushStorage')
  checkOptions(flush, FLUSH, 'flush')
  const { bytes = FLUSH_BYTES, intervalMs = FLUSH_INTERVAL_MS, writes = Infinity } = flush ?? {}
  checkInteger(bytes, 1, 'flush.bytes')
  checkMs(intervalMs, 1, 'flush.intervalMs')
  if (writes !== Infinity) checkInteger(writes, 1, 'flush.writes')
  checkInteger(maxPendingBytes, 1, 'maxPendingBytes')
  const rank = rankOf(durability, 'durability')
  return { init, context, snapshot, flusher, flush: { bytes, intervalMs, writes }, maxPendingBytes: maxPendingBytes ?? 4 * bytes, rank, retry: retryPlanOf(retry) }
}

function retryPlanOf(retry: CoordinatorOptions<never>['retry']): RetryPlan {
  checkOptions(retry, RETRY, 'retry')
  const { attempts, minDelayMs = MIN_DELAY_MS, maxDelayMs = MAX_DELAY_MS } = retry ?? { attempts: 1 }
  if (attempts === undefined) throw invalidArgument('retry.attempts', 'an integer from 1 on is needed')
  checkInteger(attempts, 1, 'retry.attempts')
  checkMs(minDelayMs, 0, 'retry.minDelayMs')
  checkMs(maxDelayMs, 0, 'retry.maxDelayMs')
  return { attempts, minDelayMs, maxDelayMs }
}

/** The signal of a call that has no other options. Read once: it may be a getter. @throws `ERR_INVALID_ARGUMENT` */
export function signalOf(options: SignalOptions | undefined): AbortSignal | undefined {
  if (options === undefined) return undefined
  checkOptions(options, SIGNAL, 'options')
  const { signal } = options
  checkSignal(signal, 'signal')
  return signal
}

/** @throws `ERR_INVALID_ARGUMENT` */
export function waitOf(options: WaitOptions | undefined): WaitOptions {
  if (options === undefined) return {}
  checkOptions(options, WAIT, 'options')
  const { timeoutMs, signal } = options
  if (timeoutMs !== undefined) checkMs(timeoutMs, 0, 'timeoutMs')
  checkSignal(signal, 'signal')
  return { timeoutMs, signal }
}

function checkMs(value: unknown, min: number, argument: string): void {
  checkInteger(value, min, argument)
  if ((value as number) > MAX_TIMER_MS) throw invalidArgument(argument, `an integer up to ${MAX_TIMER_MS} is needed`)
}
