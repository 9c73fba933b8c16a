// The proof. Three ways to the same totals: what the store holds as state, a fold over the events it gives back, and a plain loop over
// the file's columns. They must agree to the last number, and each event must be the flight of its row.
import { endOfMinute, type Flights } from './flights.ts'
import { NO_FLIGHTS, addFlight, dayOf, hourOf, type FlightStore, type Totals } from './schema.ts'

interface State {
  readonly airports: Map<string | number, Totals>
  readonly routes: Map<string | number, Totals>
  readonly hours: Map<string | number, Totals>
  readonly days: Map<string | number, Totals>
}

export interface Proof {
  readonly events: number
  readonly totals: number
  readonly indexEntries: number
}

/** Throws at the first difference. */
export function prove(flightStore: FlightStore, flights: Flights): Proof {
  const folded = foldOfEvents(flightStore, flights)
  const looped = loopOverFile(flights)
  const held = heldState(flightStore)
  let totals = 0
  for (const name of ['airports', 'routes', 'hours', 'days'] as const) {
    same(`${name}: the state and the fold over the events`, held[name], folded[name])
    same(`${name}: the state and the loop over the file`, held[name], looped[name])
    totals += held[name].size
  }
  return { events: flights.rows, totals, indexEntries: checkIndex(flightStore, flights) }
}

/** Whether a store that holds `events` events holds whole transactions only. */
export function endsBehindTransaction(flights: Flights, events: number): boolean {
  return events === 0 || endOfMinute(flights, events - 1) === events
}

function foldOfEvents({ store }: FlightStore, flights: Flights): State {
  const state: State = { airports: new Map(), routes: new Map(), hours: new Map(), days: new Map() }
  let row = 0
  let day = ''
  let dayMinute = -1
  for (const page of store.events().pages()) {
    for (const { id, event } of page) {
      const { minute, delay, distance, origin, destination } = event
      const matches =
        id === row + 1 &&
        minute === flights.minute[row] &&
        delay === flights.delay[row] &&
        distance === flights.distance[row] &&
        origin === flights.airports[flights.origin[row]!] &&
        destination === flights.airports[flights.destination[row]!]
      if (!matches) throw new Error(`event ${id} is not row ${row} of the file`)
      row++
      if (minute !== dayMinute) [day, dayMinute] = [dayOf(minute), minute]
      add(state.airports, origin, delay)
      add(state.routes, `${origin}-${destination}`, delay)
      add(state.hours, hourOf(minute), delay)
      add(state.days, day, delay)
    }
  }
  if (row !== flights.rows) throw new Error(`${row} events for ${flights.rows} rows`)
  return state
}

/** Knows nothing of stores, events or the functions that filled the store. */
function loopOverFile({ rows, airports, minute, delay, origin, destination }: Flights): State {
  const tally = (size: number): Totals[] => Array.from({ length: size }, () => NO_FLIGHTS)
  const tallies = { airport: tally(airports.length), route: tally(airports.length ** 2), hour: tally(24), day: new Map<number, Totals>() }
  const plus = ({ flights, delay: sum, worst }: Totals, late: number): Totals => ({ flights: flights + 1, delay: sum + late, worst: late > worst ? late : worst })
  for (let i = 0; i < rows; i++) {
    const [from, to, at, late] = [origin[i]!, destination[i]!, minute[i]!, delay[i]!]
    const route = from * airports.length + to
    const [hour, day] = [((at % 1440) / 60) | 0, (at / 1440) | 0]
    tallies.airport[from] = plus(tallies.airport[from]!, late)
    tallies.route[route] = plus(tallies.route[route]!, late)
    tallies.hour[hour] = plus(tallies.hour[hour]!, late)
    tallies.day.set(day, plus(tallies.day.get(day) ?? NO_FLIGHTS, late))
  }
  const flown = (entries: (readonly [string | number, Totals])[]): State['days'] => new Map(entries.filter(([, { flights }]) => flights > 0))
  const routeName = (i: number): string => `${airports[Math.floor(i / airports.length)]}-${airports[i % airports.length]}`
  return {
    airports: flown(tallies.airport.map((totals, i) => [airports[i]!, totals] as const)),
    routes: flown(tallies.route.map((totals, i) => [totals === NO_FLIGHTS ? '' : routeName(i), totals] as const)),
    hours: flown(tallies.hour.map((totals, i) => [i, totals] as const)),
    days: flown([...tallies.day].map(([day, totals]) => [new Date(day * 86_400_000).toISOString().slice(0, 10), totals] as const)),
  }
}

function heldState({ store, airports, routes, hours, days }: FlightStore): State {
  const snapshot = store.snapshot()
  const state = {
    airports: new Map(snapshot.range(airports)),
    routes: new Map(snapshot.range(routes)),
    hours: new Map(snapshot.range(hours)),
    days: new Map(snapshot.range(days)),
  }
  snapshot.release()
  return state
}

/** Each event is in the index of its airport, and nothing else is. */
function checkIndex({ departures }: FlightStore, { rows, airports, origin }: Flights): number {
  let entries = 0
  for (const [airport, event] of departures.range().keys()) {
    if (airports[origin[event - 1] ?? -1] !== airport) throw new Error(`the index says that flight ${event} left from ${airport}`)
    entries++
  }
  if (entries !== rows) throw new Error(`${entries} index entries for ${rows} rows`)
  return entries
}

function add(to: State['days'], key: string | number, delay: number): void {
  to.set(key, addFlight(to.get(key) ?? NO_FLIGHTS, delay))
}

function same(what: string, left: State['days'], right: State['days']): void {
  if (left.size !== right.size) throw new Error(`${what} differ: ${left.size} and ${right.size} entries`)
  for (const [key, totals] of left) {
    const other = right.get(key)
    const equal = other !== undefined && totals.flights === other.flights && totals.delay === other.delay && totals.worst === other.worst
    if (!equal) throw new Error(`${what} differ at ${String(key)}: ${JSON.stringify(totals)} and ${JSON.stringify(other)}`)
  }
}
