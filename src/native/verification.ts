// A verification under way: native code works on a separate thread, and is asked for the outcome until there is one.
import type { VerifyReport } from '../verify-report.ts'
import type { NativeReport } from './binding.ts'
import type { Environment } from './environment.ts'

/** What is verified: an open store or log. */
export interface Verified {
  readonly environment: Environment
  /** @throws `ERR_CLOSED` */
  check(): void
}

/** The report on the files of an open store or log; `waiting` may end the waiting for it earlier. Ends the verification. */
export async function verified(of: Verified, verification: number, folder: string, waiting: <T>(outcome: Promise<T>) => Promise<T> = same): Promise<VerifyReport> {
  const { environment } = of
  try {
    const report = await waiting(outcomeOf(environment, verification))
    of.check() // if it was closed during that, ERR_CLOSED, whichever came first
    return reportOf(report, folder)
  } finally {
    environment.cold.endVerification(verification)
  }
}

/** The report as users see it. */
export function reportOf({ problems, omitted, checked }: NativeReport, folder: string): VerifyReport {
  const ok = problems.length === 0
  if (omitted === 0) return { ok, problems, checked }
  const more = { kind: 'omitted', file: folder, message: `more problems are not listed: count=${omitted}` }
  return { ok, problems: [...problems, more], checked }
}

async function outcomeOf(environment: Environment, verification: number): Promise<NativeReport> {
  for (;;) {
    const report = await environment.callAsync((cold) => cold.awaitVerification(verification))
    if (report !== null) return report
  }
}

function same<T>(outcome: Promise<T>): Promise<T> {
  return outcome
}
