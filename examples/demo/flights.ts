// The three million flights of the npm package vega-datasets, as columns. Decoding the Parquet file takes seconds, so it is done once;
// the columns then travel between the demo's processes as one compact file: a JSON line that names the airports, padding, the columns.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'

export const FILE_ROWS = 3_000_000
const MICROS_PER_MINUTE = 60_000_000
const HEADER_BYTES = 4096

/** Row i of each column is one flight; rows are ordered by departure. Airports are indices into `airports`. */
export interface Flights {
  readonly rows: number
  readonly airports: readonly string[]
  /** Local departure time in minutes since the epoch. */
  readonly minute: Uint32Array
  /** Arrival delay in minutes; early is negative. */
  readonly delay: Int16Array
  /** Miles. */
  readonly distance: Uint16Array
  readonly origin: Uint16Array
  readonly destination: Uint16Array
}

export async function decodeParquet(rows: number): Promise<Flights> {
  const path = fileURLToPath(new URL('../data/flights-3m.parquet', import.meta.resolve('vega-datasets')))
  const file = await asyncBufferFromFile(path)
  const flights = emptyFlights(FILE_ROWS, [])
  const indices = new Map<string, number>()
  const indexOf = (airport: string): number => {
    let index = indices.get(airport)
    if (index === undefined) indices.set(airport, (index = indices.size))
    return index
  }
  // One column at a time: only one is ever in memory as JavaScript values.
  const metadata = await parquetMetadataAsync(file)
  const read = async (column: string, store: (row: number, value: unknown) => void): Promise<void> => {
    await parquetRead({
      file,
      metadata,
      compressors,
      columns: [column],
      parsers: { timestampFromMicroseconds: (micros: bigint) => Number(micros) / MICROS_PER_MINUTE },
      onChunk: ({ columnData, rowStart }) => {
        for (let i = 0; i < columnData.length; i++) store(rowStart + i, columnData[i])
      },
    })
  }
  await read('date', (row, minute) => void (flights.minute[row] = Number(minute)))
  await read('delay', (row, minutes) => void (flights.delay[row] = Number(minutes)))
  await read('distance', (row, miles) => void (flights.distance[row] = Number(miles)))
  await read('origin', (row, airport) => void (flights.origin[row] = indexOf(String(airport))))
  await read('destination', (row, airport) => void (flights.destination[row] = indexOf(String(airport))))
  return inOrder(flights, [...indices.keys()], Math.min(rows, FILE_ROWS))
}

/** The file holds four spans of time, each in order; a stable counting sort by minute makes them one. */
function inOrder(flights: Flights, airports: readonly string[], rows: number): Flights {
  const first = flights.minute.reduce((least, minute) => Math.min(least, minute))
  const last = flights.minute.reduce((most, minute) => Math.max(most, minute))
  const next = new Uint32Array(last - first + 2)
  for (const minute of flights.minute) next[minute - first + 1]! += 1
  for (let i = 1; i < next.length; i++) next[i]! += next[i - 1]!
  const sorted = emptyFlights(rows, airports)
  for (let row = 0; row < flights.rows; row++) {
    const to = next[flights.minute[row]! - first]!++
    if (to >= rows) continue
    sorted.minute[to] = flights.minute[row]!
    sorted.delay[to] = flights.delay[row]!
    sorted.distance[to] = flights.distance[row]!
    sorted.origin[to] = flights.origin[row]!
    sorted.destination[to] = flights.destination[row]!
  }
  return sorted
}

export function saveFlights(path: string, flights: Flights): void {
  const header = Buffer.alloc(HEADER_BYTES, ' ')
  header.write(JSON.stringify({ rows: flights.rows, airports: flights.airports }))
  writeFileSync(path, Buffer.concat([header, ...columnsOf(flights).map((column) => Buffer.from(column.buffer))]))
}

export function loadFlights(path: string): Flights {
  const file = readFileSync(path)
  const { rows, airports } = JSON.parse(file.toString('utf8', 0, HEADER_BYTES)) as { rows: number; airports: string[] }
  const flights = emptyFlights(rows, airports)
  let offset = HEADER_BYTES
  for (const column of columnsOf(flights)) {
    file.copy(Buffer.from(column.buffer), 0, offset, offset + column.byteLength)
    offset += column.byteLength
  }
  return flights
}

/** The row behind the last one that departs in the same minute as `row`. */
export function endOfMinute(flights: Flights, row: number): number {
  const minute = flights.minute[row]
  let end = row + 1
  while (end < flights.rows && flights.minute[end] === minute) end++
  return end
}

function emptyFlights(rows: number, airports: readonly string[]): Flights {
  return {
    rows,
    airports,
    minute: new Uint32Array(rows),
    delay: new Int16Array(rows),
    distance: new Uint16Array(rows),
    origin: new Uint16Array(rows),
    destination: new Uint16Array(rows),
  }
}

function columnsOf(flights: Flights): (Uint32Array | Int16Array | Uint16Array)[] {
  return [flights.minute, flights.delay, flights.distance, flights.origin, flights.destination]
}
