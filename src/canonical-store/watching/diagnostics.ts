// The package's channels of `node:diagnostics_channel`; `api/diagnostics.ts` has what is published on each. A channel that nobody listens to costs a
// look at a flag. Messages come on the thread that listens; who throws in one gets an uncaught exception of its own.
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

/** Whether somebody listens to what only native code sees happen. */
export function isObserved(): boolean {
  return commitGroups.hasSubscribers || flushes.hasSubscribers || fullDevices.hasSubscribers
}
