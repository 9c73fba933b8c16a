// Explains why a process ended before its program did: a follower waited for an event that no code was left to write.
import { isMainThread } from 'node:worker_threads'

/** Node's exit code when a module's top-level `await` waits for what will never come. */
const UNSETTLED_TOP_LEVEL_AWAIT = 13

/** Explains such an end for a store that is followed. Called in a listener of the event `exit`, where nothing asynchronous runs any more. */
export function tellOfUnsettledEnd(path: string): void {
  if (!isMainThread || process.exitCode !== UNSETTLED_TOP_LEVEL_AWAIT) return
  const what = `the process ends, with code ${UNSETTLED_TOP_LEVEL_AWAIT}, while a follower waits: nothing is left in it that could write to ${path}; end the iteration, abort its signal or close the store`
  process.stderr.write(`(node:${process.pid}) [LEDGERSTONE_FOLLOWER_LEFT] LedgerstoneWarning: ${what}\n`)
}
