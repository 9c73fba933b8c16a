// What the demo's store holds, and how it looks in bytes. A flight is 14 bytes and a total 12: small records of a fixed shape are worth a
// special codec, which is an object of three members. Where shape matters less than ease, `json()` is the default.
import { binary, open, utf8 } from 'ledgerstone'
import type { CanonicalStore, Codec, Collection, Durability, KeyCodec } from 'ledgerstone'

/** One flight: the event. */
export interface Flight {
  /** Local departure time in minutes since the epoch. */
  readonly minute: number
  /** Minutes; early is negative. */
  readonly delay: number
  /** Miles. */
  readonly distance: number
  readonly origin: string
  readonly destination: string
}

/** What the flights of an airport, a route, an hour or a day add up to: the state. */
export interface Totals {
  readonly flights: number
  readonly delay: number
  readonly worst: number
}

export const NO_FLIGHTS: Totals = { flights: 0, delay: 0, worst: -32_768 }

export function addFlight(totals: Totals, delay: number): Totals {
  return { flights: totals.flights + 1, delay: totals.delay + delay, worst: Math.max(totals.worst, delay) }
}

// What a codec returns is copied before it is asked again, so each keeps one buffer.
const flightBytes = Buffer.alloc(14)
const flight: Codec<Flight> = {
  name: 'flight',
  encode({ minute, delay, distance, origin, destination }) {
    flightBytes.writeUInt32LE(minute, 0)
    flightBytes.writeInt16LE(delay, 4)
    flightBytes.writeUInt16LE(distance, 6)
    flightBytes.write(origin, 8, 3, 'latin1')
    flightBytes.write(destination, 11, 3, 'latin1')
    return flightBytes
  },
  decode: (bytes) => ({
    minute: bytes.readUInt32LE(0),
    delay: bytes.readInt16LE(4),
    distance: bytes.readUInt16LE(6),
    origin: bytes.toString('latin1', 8, 11),
    destination: bytes.toString('latin1', 11, 14),
  }),
}

const totalsBytes = Buffer.alloc(12)
const totals: Codec<Totals> = {
  name: 'totals',
  encode({ flights, delay, worst }) {
    totalsBytes.writeUInt32LE(flights, 0)
    totalsBytes.writeInt32LE(delay, 4)
    totalsBytes.writeInt32LE(worst, 8)
    return totalsBytes
  },
  decode: (bytes) => ({ flights: bytes.readUInt32LE(0), delay: bytes.readInt32LE(4), worst: bytes.readInt32LE(8) }),
}

/** An hour of the day is one byte. */
const hour: KeyCodec<number> = {
  name: 'hour',
  ordered: true,
  encode: (key) => Buffer.of(key),
  decode: (bytes) => bytes.readUInt8(),
}

type Departure = readonly [airport: string, event: number]

/** Three letters, then the event's id with its high byte first: byte order is the order of airports, then of events. */
const departure: KeyCodec<Departure> = {
  name: 'departure',
  ordered: true,
  encode([airport, event]) {
    const key = Buffer.allocUnsafe(9)
    key.write(airport, 0, 3, 'latin1')
    key.writeUIntBE(event, 3, 6)
    return key
  },
  encodePrefix: ([airport]) => airport ?? '',
  decode: (bytes) => [bytes.toString('latin1', 0, 3), bytes.readUIntBE(3, 6)],
}

export interface FlightStore {
  readonly store: CanonicalStore<Flight>
  /** By origin: 'ORD'. */
  readonly airports: Collection<string, Totals>
  /** 'ORD-LGA'. */
  readonly routes: Collection<string, Totals>
  /** By hour of departure, 0 to 23. */
  readonly hours: Collection<number, Totals>
  /** '2001-01-31'. */
  readonly days: Collection<string, Totals>
  /** An index: the airport and the event's id are all there is to say, the value is empty. */
  readonly departures: Collection<Departure, Uint8Array>
}

export async function openFlightStore(path: string, durability: Durability): Promise<FlightStore> {
  const store = await open(path, { events: flight, durability })
  return {
    store,
    airports: store.collection('airports', { key: utf8(), value: totals }),
    routes: store.collection('routes', { key: utf8(), value: totals }),
    hours: store.collection('hours', { key: hour, value: totals }),
    days: store.collection('days', { key: utf8(), value: totals }),
    departures: store.collection('departures', { key: departure, value: binary() }),
  }
}

export function dayOf(minute: number): string {
  return new Date(minute * 60_000).toISOString().slice(0, 10)
}

export function hourOf(minute: number): number {
  return Math.floor(minute / 60) % 24
}
