// What a person would ask of a store full of flights, each answered by one range.
import { hourOf, type FlightStore, type Totals } from './schema.ts'
import { barChart, count, heading, say, seconds, style, table } from './terminal.ts'

const averageDelay = ({ flights, delay }: Totals): number => delay / flights
const clock = (minute: number): string => new Date(minute * 60_000).toISOString().slice(0, 16).replace('T', ' ')
const signed = (minutes: number): string => `${minutes > 0 ? '+' : ''}${minutes.toFixed(1)} min`

export function askQuestions(flightStore: FlightStore): void {
  worstRoutes(flightStore)
  delayByHour(flightStore)
  lastDepartures(flightStore)
}

function worstRoutes({ routes, store }: FlightStore): void {
  const startedMs = performance.now()
  const enough = Math.max(1, Math.round(store.nextEventId / 3000))
  const worst = routes
    .range()
    .toArray()
    .filter(([, { flights }]) => flights >= enough)
    .toSorted(([, a], [, b]) => averageDelay(b) - averageDelay(a))
    .slice(0, 5)
  heading(`Which routes with at least ${count(enough)} flights are the latest?`)
  table(
    ['route', 'flights', 'average', 'worst'],
    worst.map(([route, totals]) => [route, totals.flights, signed(averageDelay(totals)), signed(totals.worst)]),
  )
  took(startedMs)
}

function delayByHour({ hours }: FlightStore): void {
  const startedMs = performance.now()
  const bars = [...hours.range()].map(([hour, totals]) => ({
    label: `${String(hour).padStart(2, '0')}:00`,
    value: averageDelay(totals),
    note: `${signed(averageDelay(totals))}, ${count(totals.flights)} flights`,
  }))
  heading('At which hour is it best to leave?')
  barChart(bars)
  took(startedMs)
}

function lastDepartures({ airports, departures, store }: FlightStore): void {
  const [busiest] = airports
    .range()
    .toArray()
    .toSorted(([, a], [, b]) => b.flights - a.flights)
  if (busiest === undefined) return
  const [airport] = busiest
  const startedMs = performance.now()
  const events = [...departures.range({ prefix: [airport], reverse: true, limit: 10 }).keys()].flatMap(([, id]) => store.event(id) ?? [])
  heading(`What were the last ten departures from ${airport}, the busiest airport?`)
  table(
    ['departure', 'hour', 'to', 'miles', 'delay', 'event'],
    events.map(({ id, event }) => [clock(event.minute), hourOf(event.minute), event.destination, event.distance, signed(event.delay), id]),
  )
  took(startedMs)
}

function took(startedMs: number): void {
  say(style('dim', `answered in ${seconds(performance.now() - startedMs)}`))
}
