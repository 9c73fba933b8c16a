// Looking a store through: native code works on a thread of its own and is asked for the outcome until there is one.
import { binding, nativeError, type NativeReport } from '../native/binding.ts'
import type { VerifyReport } from './api/canonical-store.ts'
import type { Environment } from '../native/environment.ts'
import type { StoreHandle } from './store-handle.ts'

/** Verifies the store of an open handle. */
export async function verify(handle: StoreHandle, folder: string, signal: AbortSignal | undefined): Promise<VerifyReport> {
  const { environment, shared } = handle
  const verification = environment.call((cold) => cold.startVerification(handle.id))
  try {
    const outcome = outcomeOf(environment, verification)
    const report = await (signal === undefined ? outcome : shared.aborts.race(outcome, signal))
    handle.check() // closed meanwhile it is ERR_CLOSED, whichever was quicker
    return reportOf(report, folder)
  } finally {
    handle.environment.cold.endVerification(verification)
  }
}

/**
 * Verifies a store that nobody has open, without opening it: also one that `open` refuses, or that must not be opened before it is known to be
 * sound. Rejects with `ERR_LOCKED` while anybody has it open, `ERR_NOT_FOUND` when there is none.
 */
export async function verifyClosed(path: string): Promise<VerifyReport> {
  try {
    return reportOf(await binding().verifyClosedStore(path), path)
  } catch (thrown) {
    throw nativeError(thrown)
  }
}

/** The outcome of a verification under way. */
export async function outcomeOf(environment: Environment, verification: number): Promise<NativeReport> {
  for (;;) {
    const report = await environment.callAsync((cold) => cold.awaitVerification(verification))
    if (report !== null) return report
  }
}

/** The report as users see it. */
export function reportOf({ problems, omitted, checked }: NativeReport, folder: string): VerifyReport {
  const ok = problems.length === 0
  if (omitted === 0) return { ok, problems, checked }
  const more = { kind: 'omitted', file: folder, message: `more problems are not listed: count=${omitted}` }
  return { ok, problems: [...problems, more], checked }
}
