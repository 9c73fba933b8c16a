// What the events say the state is. Taken one by one, so that a reader follows a store that grows, and the check after a kill begins anew.
import type { EventRecord, Reader } from 'ledgerstone'
import { balancesOf, collectionOf, COLLECTIONS, type Store, type Told, valueOf } from './workload.ts'

/** The fold of the events taken so far. */
export class Fold {
  readonly made = new Set<string>()
  readonly dropping = new Set<string>()
  readonly dropped = new Set<string>()
  /** By writer, the highest tick that an event knew of. */
  readonly tick = new Map<string, number>()
  /** By event id, the commit it belongs to. */
  readonly commitAt = new Map<number, string>()
  commits = 0
  readonly #state = new Map<string, Map<string, readonly [number, number]>>(COLLECTIONS.map((name) => [name, new Map()]))
  readonly #balances = new Map<string, number>()
  readonly #seen = new Set<string>()
  #timestamp = 0
  #name = ''
  #missingParts = 0

  /** How many events were taken; the next has the id behind this. */
  get events(): number {
    return this.commitAt.size
  }

  /** Takes the next event. Throws when it is not the next, or not what must follow. */
  take({ id, timestamp, event }: EventRecord<Told>): void {
    if (id !== this.events + 1) throw new Error(`event ${this.events + 1} has the id ${id}`)
    if (timestamp < this.#timestamp) throw new Error(`the time goes back at event ${id}`)
    this.#timestamp = timestamp
    const name = `${event.writer} ${event.commit}`
    if (this.#missingParts === 0) this.#begin(id, name, event)
    else if (name !== this.#name || event.part !== event.parts - this.#missingParts) throw this.#torn()
    this.#missingParts--
    this.commitAt.set(id, name)
    this.#follow(event)
  }

  /** Throws unless the reader, which ends with the last event taken, has the state that the events make: of all collections, or of one. */
  check(store: Store, reader: Reader, names: readonly string[] = COLLECTIONS): void {
    if (this.#missingParts > 0) throw this.#torn()
    for (const name of names) {
      const expected = this.#state.get(name) as Map<string, readonly [number, number]>
      const collection = collectionOf(store, name)
      const found = new Map(reader.range(collection))
      for (const [key, value] of expected) {
        if (found.get(key) !== valueOf(value)) throw new Error(`${name} ${key}: expected ${String(value)}, found ${found.get(key)?.slice(0, 40) ?? 'nothing'}`)
        if (reader.get(collection, key) !== found.get(key)) throw new Error(`${name} ${key}: get and range differ`)
      }
      if (found.size !== expected.size) throw new Error(`${name} has ${found.size} keys, its events say ${expected.size}`)
    }
    const balances = new Map(reader.range(balancesOf(store)))
    for (const [account, balance] of this.#balances) {
      if (balances.get(account) !== balance) throw new Error(`account ${account} has ${balances.get(account)}, its transfers make ${balance}`)
    }
    if (balances.size !== this.#balances.size) throw new Error(`${balances.size} accounts, ${this.#balances.size} have had transfers`)
  }

  #begin(id: number, name: string, { part, parts }: Told): void {
    if (part !== 0 || this.#seen.has(name)) throw new Error(`event ${id} is out of place: ${name}, part ${part}`)
    this.#seen.add(name)
    this.#name = name
    this.#missingParts = parts
    this.commits++
  }

  #follow(event: Told): void {
    for (const [collection, key, value] of event.changes) {
      const keys = this.#state.get(collection) as Map<string, readonly [number, number]>
      if (value === undefined) keys.delete(key)
      else keys.set(key, value)
    }
    if (event.transfer !== undefined) {
      const [from, to, amount] = event.transfer
      this.#balances.set(from, (this.#balances.get(from) ?? 0) - amount)
      this.#balances.set(to, (this.#balances.get(to) ?? 0) + amount)
    }
    if (event.made !== undefined) this.made.add(event.made)
    if (event.dropping !== undefined) this.dropping.add(event.dropping)
    if (event.dropped !== undefined) this.dropped.add(event.dropped)
    this.tick.set(event.writer, Math.max(event.tick, this.tick.get(event.writer) ?? 0))
  }

  #torn(): Error {
    return new Error(`commit ${this.#name} is torn: ${this.#missingParts} of its events are missing`)
  }
}
