// What one transaction adds to the totals.
import type { Transaction } from 'ledgerstone'
import { NO_FLIGHTS, addFlight, type Flight, type FlightStore, type Totals } from './schema.ts'

/** Adds up what one transaction changes, so that it reads and writes each key once. */
export class Tally {
  readonly totals: Map<string, Totals> = new Map()

  add(key: string, delay: number): void {
    this.totals.set(key, addFlight(this.totals.get(key) ?? NO_FLIGHTS, delay))
  }

  applyTo(tx: Transaction<Flight>, to: FlightStore['airports']): void {
    const before = tx.getMany(to, [...this.totals.keys()])
    let i = 0
    for (const [key, added] of this.totals) tx.put(to, key, merge(before[i++], added))
  }
}

export function merge(before: Totals | undefined, added: Totals): Totals {
  if (before === undefined) return added
  return { flights: before.flights + added.flights, delay: before.delay + added.delay, worst: Math.max(before.worst, added.worst) }
}
