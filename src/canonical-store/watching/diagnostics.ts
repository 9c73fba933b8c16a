// The package's channels of `node:diagnostics_channel`; `api/diagnostics.ts` has the messages of each. A channel without listeners costs a look at a flag.
// Messages come on the listener's thread; a listener that throws causes an uncaught exception.
import { type Channel, channel } from 'node:diagnostics_channel'
import type { CommitGroupMessage, FlushMessage, NoSpaceMessage, PoisonedMessage, RecoveryMessage, StallMessage } from '../api/diagnostics.ts'

function typed<T>(name: string): Channel<unknown, T> {
  return channel(name) as Channel<unknown, T>
}

export const commitGroups: Channel<unknown, CommitGroupMessage> = typed('ledgerstone:commit-group')
export const flushes: Channel<unknown, FlushMessage> = typed('ledgerstone:flush')
export const recoveries: Channel<unknown, RecoveryMessage> = typed('ledgerstone:recovery')
export const failures: Channel<unknown, PoisonedMessage> = typed('ledgerstone:poisoned')
export const fullDevices: Channel<unknown, NoSpaceMessage> = typed('ledgerstone:no-space')
export const stalls: Channel<unknown, StallMessage> = typed('ledgerstone:stall')

/** Whether there are listeners for messages about what only native code sees. */
export function isObserved(): boolean {
  return commitGroups.hasSubscribers || flushes.hasSubscribers || fullDevices.hasSubscribers
}
