// Verification of a store, open or closed.
import { binding, nativeError } from '../native/binding.ts'
import { reportOf, verified } from '../native/verification.ts'
import type { VerifyReport } from '../verify-report.ts'
import type { StoreHandle } from './store-handle.ts'

/** Verifies the store of an open handle. */
export async function verify(handle: StoreHandle, folder: string, signal: AbortSignal | undefined): Promise<VerifyReport> {
  const verification = handle.environment.call((cold) => cold.startVerification(handle.id))
  if (signal === undefined) return verified(handle, verification, folder)
  return verified(handle, verification, folder, (outcome) => handle.shared.aborts.race(outcome, signal))
}

/**
 * Verifies a store without opening it: also one that `open` refuses, or that must not be opened before it is known to be sound. Rejects with `ERR_LOCKED` while
 * any process has it open, `ERR_NOT_FOUND` when there is none.
 */
export async function verifyClosed(path: string): Promise<VerifyReport> {
  try {
    return reportOf(await binding().verifyClosedStore(path), path)
  } catch (thrown) {
    throw nativeError(thrown)
  }
}
