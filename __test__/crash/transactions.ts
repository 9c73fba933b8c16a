// Random transactions of one writer, each reported once it has what it was promised: puts, deletes, events, new collections, drops, explicit
// transactions, transfers between accounts, at every level. What is refused for the moment, as by a full device, is left out, and the work goes on.
import { setTimeout as sleep } from 'node:timers/promises'
import { isMainThread } from 'node:worker_threads'
import { type CommitInfo, type Durability, LedgerstoneError, type Transaction } from 'ledgerstone'
import type { Random } from '../support/random.ts'
import { report } from '../support/report.ts'
import { balancesOf, BRIEF_KEYS, changesOf, collectionOf, LEVELS, partsOf, TICKS, transferOf, type Change, type Store, type Told, valueOf } from './workload.ts'

const BEFORE_LOOKING_BACK = 24
const REST_MS = 5

/** The work of one thread. */
export class Transactions {
  readonly #store: Store
  readonly #random: Random
  readonly #writer: string
  #commit = 0
  #appliedTick = 0

  constructor(store: Store, random: Random, writer: string) {
    this.#store = store
    this.#random = random
    this.#writer = writer
  }

  async write(commits: number): Promise<void> {
    const random = this.#random
    let waiting: Promise<unknown>[] = []
    for (let i = 0; i < commits; i++) {
      waiting.push(this.#attempt())
      if (random.oneIn(3)) await waiting.at(-1)
      if (waiting.length >= BEFORE_LOOKING_BACK) {
        await Promise.all(waiting)
        waiting = []
      }
      if (random.oneIn(150)) {
        if (isMainThread) report('flushing')
        await this.#orLeaveOut(() => this.#store.flush())
      }
    }
    await Promise.all(waiting)
  }

  #attempt(): Promise<void> {
    return this.#orLeaveOut(() => this.#next())
  }

  async #orLeaveOut(work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      // An iteration that stays open on this thread may be what keeps `writeTxn` from finding room: the thread has to go on.
      if (!(error instanceof LedgerstoneError && error.retryable)) throw error
      if (error.code === 'ERR_NO_SPACE') report('refused')
      await sleep(REST_MS)
    }
  }

  #next(): Promise<unknown> {
    const random = this.#random
    const level = random.pick(LEVELS)
    if (random.oneIn(6)) return this.#ticks(level)
    if (random.oneIn(50)) return this.#drops(level)
    if (random.oneIn(5)) return this.#transfers(level)
    const changes = changesOf(random)
    const told = this.#tell(partsOf(random, changes))
    if (changes.length === 0 && random.oneIn(2)) return this.#acknowledge(this.#store.appendAll(told, { durability: level }), told, level)
    if (random.oneIn(3)) return this.#explicitly(changes, told, level)
    const committed = this.#store.transact(
      (tx) => {
        this.#change(tx, changes)
        tx.appendAll(told)
      },
      { durability: level },
    )
    return this.#acknowledge(committed, told, level)
  }

  #explicitly(changes: readonly Change[], told: readonly Told[], level: Durability): Promise<unknown> {
    const tx = this.#store.writeTxn()
    try {
      for (const event of told) tx.append(event)
      this.#change(tx, changes)
      return this.#acknowledge(tx.commit().wait(level), told, level)
    } finally {
      tx.abort() // what is refused half way must not stay open; after the commit this is nothing
    }
  }

  #change(tx: Transaction<Told>, changes: readonly Change[]): void {
    for (const [name, key, value] of changes) {
      const collection = collectionOf(this.#store, name)
      if (value === undefined) tx.delete(collection, key)
      else tx.put(collection, key, valueOf(value))
    }
  }

  #tell(parts: readonly (readonly Change[])[], extra: Partial<Told> = {}): Told[] {
    const commit = ++this.#commit
    const padding = this.#random.oneIn(25) ? { padding: 'p'.repeat(this.#random.below(30_000)) } : {}
    return parts.map((changes, part) => ({ writer: this.#writer, commit, part, parts: parts.length, tick: this.#appliedTick, changes, ...padding, ...extra }))
  }

  #transfers(level: Durability): Promise<unknown> {
    const balances = balancesOf(this.#store)
    const transfer = transferOf(this.#random)
    const [from, to, amount] = transfer
    const told = this.#tell([[]], { transfer })
    const committed = this.#store.transact(
      (tx) => {
        tx.put(balances, from, (tx.get(balances, from) ?? 0) - amount)
        tx.put(balances, to, (tx.get(balances, to) ?? 0) + amount)
        tx.appendAll(told)
      },
      { durability: level },
    )
    return this.#acknowledge(committed, told, level)
  }

  /** Counts its own commits in the state alone. */
  async #ticks(level: Durability): Promise<void> {
    const ticks = this.#store.collection<string, number>(TICKS)
    const { seq, result } = await this.#store.transact(
      (tx) => {
        const tick = (tx.get(ticks, this.#writer) ?? 0) + 1
        tx.put(ticks, this.#writer, tick)
        return tick
      },
      { durability: level },
    )
    this.#appliedTick = Math.max(this.#appliedTick, result)
    report(`tick ${level} ${seq} ${this.#writer} ${result}`)
  }

  /** Makes a collection, announces its end, drops it, tells that it is gone: four commits, one after the other. */
  async #drops(level: Durability): Promise<void> {
    const store = this.#store
    const name = `brief-${this.#writer}-${this.#commit}`
    const brief = store.collection<string, number>(name)
    const made = this.#tell([[]], { made: name })
    await this.#acknowledge(
      store.transact(
        (tx) => {
          for (const [i, key] of BRIEF_KEYS.entries()) tx.put(brief, key, i)
          tx.appendAll(made)
        },
        { durability: level },
      ),
      made,
      level,
    )
    const dropping = this.#tell([[]], { dropping: name })
    await this.#acknowledge(store.append(dropping, { durability: level }), dropping, level)
    const { seq } = await store.dropCollection(name, { durability: level })
    report(`drop ${level} ${seq} ${name}`)
    const dropped = this.#tell([[]], { dropped: name })
    await this.#acknowledge(store.append(dropped, { durability: level }), dropped, level)
  }

  async #acknowledge(committed: Promise<CommitInfo>, [first]: readonly Told[], level: Durability): Promise<void> {
    const { seq, firstEventId, lastEventId } = await committed
    report(`commit ${level} ${seq} ${firstEventId} ${lastEventId} ${first?.writer} ${first?.commit}`)
  }
}
