// Why a process ended although its program was not through: a follower waited for an event that nobody was left to write.
import { isMainThread } from 'node:worker_threads'

/** What Node ends with when a module's top-level `await` waits for what will never come. */
const UNSETTLED_TOP_LEVEL_AWAIT = 13

/** Says so for a store that is followed, if this end is one of that kind: in a listener of the event `exit`, where nothing asynchronous is heard any more. */
export function tellOfUnsettledEnd(path: string): void {
  if (!isMainThread || process.exitCode !== UNSETTLED_TOP_LEVEL_AWAIT) return
  const what = `the process ends, with code ${UNSETTLED_TOP_LEVEL_AWAIT}, while a follower waits: nothing is left in it that could write to ${path}; end the iteration, abort its signal or close the store`
  process.stderr.write(`(node:${process.pid}) [LEDGERSTONE_FOLLOWER_LEFT] LedgerstoneWarning: ${what}\n`)
}
