// What the examples in comments find: a store with accounts and bookings, a snapshot of it, a log, locks, and a snapshot set, in a folder of their own.
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { type CanonicalStore, type Collection, json, open, type Snapshot } from 'ledgerstone'
import { EventLog } from 'ledgerstone/event-log'
import { LockManager } from 'ledgerstone/locks'
import { FileSnapshotSet } from 'ledgerstone/snapshots'

export interface Account {
  owner: string
  cents: number
}
export interface Booking {
  account: string
  cents: number
}

export interface Scene {
  readonly store: CanonicalStore<Booking>
  /** Two of them: anna and ben. */
  readonly accounts: Collection<string, Account>
  readonly snapshot: Snapshot<Booking>
  readonly log: EventLog
  readonly locks: LockManager
  /** Without snapshots. */
  readonly set: FileSnapshotSet
}

/** Where the program was started; whoever did removes it. */
const PLACE = process.cwd()

/** Plays one example, in a folder of its own. */
export async function play(example: (scene: Scene) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(PLACE, 'scene-'))
  process.chdir(folder)
  const store = await open('./store', { events: json<Booking>() })
  const log = await EventLog.open('./log')
  const set = await FileSnapshotSet.open('./set')
  const accounts = store.collection<string, Account>('accounts')
  await store.transact((tx) => {
    tx.put(accounts, 'anna', { owner: 'Anna', cents: 1000 })
    tx.put(accounts, 'ben', { owner: 'Ben', cents: 0 })
    tx.appendAll([
      { account: 'anna', cents: 700 },
      { account: 'anna', cents: 300 },
    ])
  })
  log.appendBatchWithIds(1, [Buffer.from('one'), Buffer.from('two')])
  const snapshot = store.snapshot()
  try {
    await example({ store, accounts, snapshot, log, locks: new LockManager(), set })
  } finally {
    snapshot.release()
    await store.close()
    await log.close()
    await set.close()
  }
}
