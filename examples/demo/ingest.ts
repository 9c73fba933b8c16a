// The child process that fills the store: one transaction for the flights of each departure minute. It begins behind the last event that the
// store has, so it does not matter how often it was killed. It reports to its parent, which draws.
//
//   ingest.ts STORE FLIGHTS DURABILITY [KILL_AT]      with KILL_AT it kills itself once that many events have been acknowledged
import type { Durability, Transaction } from 'ledgerstone'
import { endOfMinute, loadFlights, type Flights } from './flights.ts'
import { NO_FLIGHTS, dayOf, hourOf, openFlightStore, type Flight, type FlightStore } from './schema.ts'
import { Tally, merge } from './tally.ts'

/** What the child tells its parent. Acknowledged is what it was promised at the chosen durability. */
export type Report =
  | { readonly kind: 'opened'; readonly events: number; readonly commits: number; readonly ms: number; readonly frames: number; readonly bytesCut: number }
  | { readonly kind: 'progress' | 'done'; readonly acknowledged: number; readonly commits: number; readonly flushes: number }

/** How many transactions are started before the first of the previous lot is waited for. */
const TRANSACTIONS_PER_LOT = 256
const REPORT_EVERY_MS = 50
const NOTHING = new Uint8Array(0)

const [path, flightsPath, durability, killAt = 'Infinity'] = process.argv.slice(2) as [string, string, Durability, string | undefined]
const flights = loadFlights(flightsPath)
const startedMs = performance.now()
const flightStore = await openFlightStore(path, durability)
const { store } = flightStore
const { recovery, levels } = store.stats()
const { frames, bytesCut } = recovery
await report({ kind: 'opened', events: store.nextEventId - 1, commits: levels.applied, ms: performance.now() - startedMs, frames, bytesCut })

const acknowledged = await ingest(flightStore, flights)
await store.flush()
await report({ kind: 'done', ...figures(acknowledged) })
await store.close()
process.disconnect?.()

async function ingest(to: FlightStore, from: Flights): Promise<number> {
  let row = to.store.nextEventId - 1 // event n is row n - 1
  let reportedMs = 0
  let earlier = Promise.resolve(row)
  while (row < from.rows) {
    // Several transactions in flight: the store flushes them together, while this thread goes on.
    const lot: Promise<unknown>[] = []
    const lotEnd = Math.min(from.rows, row + Math.ceil(from.rows / 10))
    while (lot.length < TRANSACTIONS_PER_LOT && row < lotEnd) {
      const first = row
      const end = endOfMinute(from, row)
      lot.push(to.store.transact((tx) => addMinute(tx, to, from, first, end)))
      row = end
    }
    const end = row
    const done = await earlier
    earlier = Promise.all(lot).then(() => end)
    const dying = done >= Number(killAt)
    if (dying || performance.now() - reportedMs > REPORT_EVERY_MS) {
      reportedMs = performance.now()
      await report({ kind: 'progress', ...figures(done) })
    }
    if (dying) process.kill(process.pid, 'SIGKILL') // with this lot's transactions on their way
  }
  return earlier
}

/** Every flight of the minute is an event, and all that the store knows about flights changes with it. */
function addMinute(tx: Transaction<Flight>, { airports, routes, hours, days, departures }: FlightStore, from: Flights, row: number, end: number): void {
  const minute = from.minute[row]!
  const byAirport = new Tally()
  const byRoute = new Tally()
  const byMinute = new Tally()
  for (let i = row; i < end; i++) {
    const delay = from.delay[i]!
    const origin = from.airports[from.origin[i]!]!
    const destination = from.airports[from.destination[i]!]!
    const event = tx.append({ minute, delay, distance: from.distance[i]!, origin, destination })
    tx.put(departures, [origin, event], NOTHING)
    byAirport.add(origin, delay)
    byRoute.add(`${origin}-${destination}`, delay)
    byMinute.add('', delay)
  }
  byAirport.applyTo(tx, airports)
  byRoute.applyTo(tx, routes)
  const all = byMinute.totals.get('') ?? NO_FLIGHTS
  tx.put(hours, hourOf(minute), merge(tx.get(hours, hourOf(minute)), all))
  tx.put(days, dayOf(minute), merge(tx.get(days, dayOf(minute)), all))
}

function figures(done: number): { acknowledged: number; commits: number; flushes: number } {
  const { levels, journal } = store.stats()
  return { acknowledged: done, commits: levels.applied, flushes: journal.flushes }
}

function report(message: Report): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) resolve()
    else process.send(message, undefined, undefined, () => resolve())
  })
}
