// What the examples in comments find, in a separate folder for each: a store with accounts and bookings, a snapshot of it, a log, locks, a snapshot set, and a
// coordinator of sales in front of a table.
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { type CanonicalStore, type Collection, json, open, type Snapshot } from 'ledgerstone'
import { type CoordinatorTypes, type Delta, type Flusher, WriteCoordinator } from 'ledgerstone/coordinator'
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
type Totals = ReadonlyMap<string, number>
/** As the example of `CoordinatorTypes` has it. */
export interface Sales extends CoordinatorTypes {
  Context: undefined
  Write: { item: string; amount: number }
  ApplyResult: number
  Frozen: Totals
  FrozenView: Totals
  DeltaView: Totals
  Snapshot: Totals
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
  /** Of sales, in front of `table`; nothing is written yet. */
  readonly coordinator: WriteCoordinator<Sales>
  readonly table: Table
}

/** Stands for a table of totals in a database. */
class Table {
  readonly #totals = new Map<string, number>()
  readonly #batches = new Set<string>()

  /** Adds the totals of a batch, unless it has been added before. */
  async add(batch: string, totals: Totals, { signal }: { signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted()
    if (this.#batches.has(batch)) return
    this.#batches.add(batch)
    for (const [item, total] of totals) this.#totals.set(item, (this.#totals.get(item) ?? 0) + total)
  }

  async totals(): Promise<Totals> {
    return new Map(this.#totals)
  }

  async checkpoint(): Promise<void> {}
}

function salesDelta(): Delta<Sales> {
  const totals = new Map<string, number>()
  return {
    apply({ item, amount }) {
      const total = (totals.get(item) ?? 0) + amount
      totals.set(item, total)
      return total
    },
    estimateSize: () => totals.size * 64,
    freeze: () => ({ frozen: totals, view: totals, context: undefined }),
    reader: () => totals,
  }
}

/** The folder in which the program was started; the test removes it. */
const PLACE = process.cwd()

/** Plays one example, in a separate folder. */
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
  const table = new Table()
  const flusher: Flusher<Sales> = {
    async flushDelta(totals, { start }, { signal }) {
      await table.add(String(start), totals, { signal })
      return table.totals()
    },
    flushStorage: () => table.checkpoint(),
  }
  const coordinator = new WriteCoordinator<Sales>({ init: salesDelta, context: undefined, snapshot: new Map(), flusher })
  try {
    await example({ store, accounts, snapshot, log, locks: new LockManager(), set, coordinator, table })
  } finally {
    snapshot.release()
    await coordinator.close()
    await store.close()
    await log.close()
    await set.close()
  }
}
