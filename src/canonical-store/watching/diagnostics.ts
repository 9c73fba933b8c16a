// The package's channels of `node:diagnostics_channel`, and what is published on each: plain objects, with the store's folder as `path`. A channel
// that nobody listens to costs a look at a flag. Messages come on the thread that listens; who throws in one gets an uncaught exception of its own.
import { type Channel, channel } from 'node:diagnostics_channel'
import type { LedgerstoneError } from '../../errors.ts'
import type { Seq } from '../api/canonical-store.ts'

/** `ledgerstone:commit-group`: commits of any thread that were written to the journal together. */
export interface CommitGroupMessage {
  readonly path: string
  /** The last commit in it. */
  readonly seq: Seq
  readonly commits: number
  /** What was written, padding included. */
  readonly bytes: number
  /** How long flushing to the device took, in microseconds; 0 when nobody waited for it. */
  readonly flushMicros: number
  /** Whether it was flushed to the device; otherwise it is with the operating system. */
  readonly durable: boolean
  /** How many groups this is the sum of: 1, unless this thread was busy while more than 1,024 were written. */
  readonly groups: number
}

/** `ledgerstone:flush`: what was in memory has been written to LMDB and to the event log. */
export interface FlushMessage {
  readonly path: string
  /** The last commit in it. */
  readonly seq: Seq
  /** The number of the generation that was written. */
  readonly epoch: number
  readonly entries: number
  /** The memory that it took. */
  readonly bytes: number
  readonly durationMs: number
  /** How many flushes this is the sum of: 1, unless this thread was busy while more than 1,024 were made. */
  readonly flushes: number
}

/** `ledgerstone:recovery`: this thread has opened a store that no thread of the process had open. */
export interface RecoveryMessage {
  readonly path: string
  /** The number of the generation that begins. */
  readonly epoch: number
  /** Journal frames that were replayed. */
  readonly frames: number
  /** Bytes of a torn end that were cut. */
  readonly bytesCut: number
}

/** `ledgerstone:poisoned`: the store has stopped writing for good; once per thread that has it open. */
export interface PoisonedMessage {
  readonly path: string
  /** The first failure, as `store.failure` has it. */
  readonly error: LedgerstoneError
}

/** `ledgerstone:no-space`: the device is full; and again, with `until`, when there is room. Times are ms since the epoch, as this thread saw it. */
export interface NoSpaceMessage {
  readonly path: string
  readonly since: number
  readonly until?: number
}

/** `ledgerstone:stall`: a write of this thread had to wait because too much was not flushed; told when its waiting has ended. */
export interface StallMessage {
  readonly path: string
  readonly waitedMs: number
  /** What is applied and not yet flushed now. */
  readonly pendingBytes: number
}

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
