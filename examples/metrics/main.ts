// Metrics, rolled up by minute and written as Parquet files. A delta of our own keeps one row for each minute and metric, however many points there are; the
// flusher is a ready one. A minute that two deltas share has a row in each: readers add them up.
//
//   node examples/metrics/main.js [--points N]
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { parquetReadObjects } from 'hyparquet'
import { type CoordinatorTypes, type Delta, parquet, type ParquetSnapshot, WriteCoordinator } from 'ledgerstone/coordinator'

interface Point {
  readonly metric: string
  readonly at: number
  readonly value: number
}
interface Row {
  readonly minute: Date
  readonly metric: string
  count: number
  sum: number
  max: number
}
type Rows = ReadonlyMap<string, Readonly<Row>>

interface Metrics extends CoordinatorTypes {
  Context: undefined
  Write: Point
  ApplyResult: undefined
  Frozen: readonly Row[]
  FrozenView: Rows
  DeltaView: Rows
  Snapshot: ParquetSnapshot | undefined
}

const MINUTE_MS = 60_000
const ROW_BYTES = 200
const keyOf = (metric: string, at: number): string => `${metric} ${Math.floor(at / MINUTE_MS)}`

/** One row for each minute and metric. */
class MinuteDelta implements Delta<Metrics> {
  readonly #rows = new Map<string, Row>()

  apply({ metric, at, value }: Point): undefined {
    if (!Number.isFinite(value)) throw new RangeError(`a value that is no number: ${metric}`)
    const key = keyOf(metric, at)
    const row = this.#rows.get(key) ?? { minute: new Date(Math.floor(at / MINUTE_MS) * MINUTE_MS), metric, count: 0, sum: 0, max: -Infinity }
    row.count++
    row.sum += value
    row.max = Math.max(row.max, value)
    this.#rows.set(key, row)
  }

  estimateSize(): number {
    return this.#rows.size * ROW_BYTES
  }

  freeze(): { frozen: Row[]; view: Rows; context: undefined } {
    return { frozen: [...this.#rows.values()], view: this.#rows, context: undefined }
  }

  reader(): Rows {
    return this.#rows
  }
}

const { values } = parseArgs({ options: { points: { type: 'string', default: '100000' } } })
const points = Number(values.points)
const home = mkdtempSync(join(tmpdir(), 'ledgerstone-metrics-'))
const folder = join(home, 'metrics')

const coordinator = new WriteCoordinator<Metrics>({
  init: () => new MinuteDelta(),
  context: undefined,
  snapshot: undefined,
  flusher: parquet<Row>(folder, { columns: { minute: 'TIMESTAMP', metric: 'STRING', count: 'INT32', sum: 'DOUBLE', max: 'DOUBLE' } }),
  flush: { bytes: 100 * ROW_BYTES, intervalMs: 60_000 },
  durability: 'written',
})

let refused = 0
for (let n = 0; n < points; n++) {
  const point = { metric: ['cpu', 'memory', 'requests'][n % 3] as string, at: n * 100, value: n % 7777 === 7776 ? Number.NaN : n % 100 }
  await coordinator.write(point).catch(() => refused++)
}
const { current, frozen } = coordinator.view()
const pending = [current, ...frozen.map(({ value }) => value)].reduce((rows, layer) => rows + layer.size, 0)
console.log(`${points - refused} points applied, ${refused} refused, ${pending} rows are not stored yet`)
await coordinator.close()

const files = readdirSync(folder).toSorted()
let [rows, count, sum] = [0, 0, 0]
for (const file of files) {
  const bytes = new Uint8Array(readFileSync(join(folder, file)))
  for (const row of (await parquetReadObjects({ file: bytes.buffer })) as unknown as Row[]) {
    rows++
    count += row.count
    sum += row.sum
  }
}
let expected = 0
for (let n = 0; n < points; n++) expected += n % 7777 === 7776 ? 0 : n % 100
console.log(`${rows} rows in ${files.length} files have ${count === points - refused && sum === expected ? 'every point once' : `${count} points with ${sum}`}`)
rmSync(home, { recursive: true })
