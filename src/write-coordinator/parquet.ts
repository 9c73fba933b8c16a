// A ready flusher: each delta as one Parquet file. A file gets its name when it is complete and flushed to the device; names are flushed by `flushStorage`. The
// package `hyparquet-writer`, loaded with the first delta, encodes the files.
import { rename, unlink } from 'node:fs/promises'
import { errorOf, invalidArgument } from '../errors.ts'
import { isWellFormed } from '../internal/bytes.ts'
import { isDate, throwIfAborted } from '../internal/platform.ts'
import { checkedPath, checkFunction, checkOptions } from '../internal/validate.ts'
import type { EpochRange } from './coordinator-types.ts'
import { checkedName } from './file-name.ts'
import type { ItemsFlusher } from './items-flusher.ts'
import { createFile, NumberedFiles, syncFile, tried, writeAll } from './numbered-files.ts'
import { OneAtATime } from './one-at-a-time.ts'

const OPTIONS: ReadonlySet<string> = new Set(['columns', 'row', 'name'])
/** In a constant, so that bundlers do not look for it: only users of this flusher need it. */
const WRITER = 'hyparquet-writer'

/** What a column holds. `null` and `undefined` fit all types. */
export type ParquetType = 'BOOLEAN' | 'INT32' | 'INT64' | 'DOUBLE' | 'STRING' | 'TIMESTAMP' | 'JSON'

/** What is stored for a value, so that it can be read again unchanged; `undefined` for one that does not fit. */
const STORED: Readonly<Record<ParquetType, (value: unknown) => unknown>> = {
  BOOLEAN: (value) => (typeof value === 'boolean' ? value : undefined),
  INT32: (value) => (Number.isInteger(value) && (value as number) >= -(2 ** 31) && (value as number) < 2 ** 31 ? value : undefined),
  INT64: (value) => {
    if (Number.isSafeInteger(value)) return BigInt(value as number)
    return typeof value === 'bigint' && BigInt.asIntN(64, value) === value ? value : undefined
  },
  DOUBLE: (value) => (typeof value === 'number' ? value : undefined),
  STRING: (value) => (typeof value === 'string' && isWellFormed(value) ? value : undefined),
  TIMESTAMP: (value) => (isDate(value) && Number.isFinite(value.getTime()) ? value : undefined),
  JSON: (value) => {
    try {
      // A copy without getters and bigints, of which the writer would make numbers, and without prototypes, so that it keeps a key `__proto__`. NaN would be null.
      return (JSON.parse(JSON.stringify(value), withoutPrototype) as unknown) ?? undefined
    } catch {
      return undefined
    }
  },
}

/** How {@link parquet} stores. */
export interface ParquetOptions<Item> {
  /** The columns, in their order. INT64 takes bigints and safe integers, TIMESTAMP dates (to the millisecond, UTC), JSON what `JSON.stringify` takes. */
  columns: Readonly<Record<string, ParquetType>>
  /** The values of an item by column. @default the item itself */
  row?: ((item: Item) => Readonly<Record<string, unknown>>) | undefined
  /** What the names of its files begin with: letters, digits, `-`, `_`, `.`. @default 'rows' */
  name?: string | undefined
}

/** How far {@link parquet} has come. */
export interface ParquetSnapshot {
  /** The newest file; absent before the first. */
  readonly path?: string
  /** Files stored since the flusher was made. */
  readonly files: number
  /** Rows in them. */
  readonly rows: number
}

interface Column {
  readonly name: string
  readonly type: ParquetType
  readonly data: unknown[]
}

/** The part of `hyparquet-writer` that is used. */
interface Writer {
  parquetWriteBuffer(options: { columnData: readonly Column[] }): ArrayBuffer
}

/**
 * A flusher that stores each delta as a Parquet file, named `rows-000000000001-<mark>.parquet` and so on. Names sort in the order of the files; those that end with
 * `.part` are unfinished. It makes the folder when it needs it. A file is encoded in memory, within one turn of the event loop: choose `flush.bytes` accordingly.
 *
 * Needs the package `hyparquet-writer` (`npm install hyparquet-writer`).
 *
 * Its calls reject with `ERR_NO_SPACE` (may be tried again), `ERR_IO`, `ERR_NOT_FOUND` (the package is not installed), and `ERR_CODEC` for a value that does not fit
 * its column, which ends the coordinator.
 *
 * @throws `ERR_INVALID_ARGUMENT`
 * @example
 * ```ts
 * interface Visit { at: Date; path: string }
 * interface Visits extends ListDeltaTypes<Visit> { Snapshot: ParquetSnapshot | undefined }
 *
 * const flusher = parquet<Visit>('./visits', { columns: { at: 'TIMESTAMP', path: 'STRING' } })
 * const flush = { bytes: 4 << 20, intervalMs: 60_000 }
 * const coordinator = new WriteCoordinator<Visits>({ init: listDelta(), context: undefined, snapshot: undefined, flusher, flush })
 * await coordinator.write({ at: new Date(), path: '/' })
 * await coordinator.close()
 * ```
 */
export function parquet<Item = unknown>(folder: string | URL, options: ParquetOptions<Item>): ItemsFlusher<Item, ParquetSnapshot> {
  const path = checkedPath(folder, 'folder')
  checkOptions(options, OPTIONS, 'options')
  const { columns, row = (item: Item) => item as Readonly<Record<string, unknown>>, name = 'rows' } = (options ?? {}) as Partial<ParquetOptions<Item>>
  checkFunction(row, 'row')
  return new Parquet(new NumberedFiles(path, checkedName(name), '.parquet'), checkedColumns(columns), row)
}

class Parquet<Item> implements ItemsFlusher<Item, ParquetSnapshot> {
  readonly #files: NumberedFiles
  readonly #columns: readonly (readonly [name: string, type: ParquetType])[]
  readonly #row: (item: Item) => Readonly<Record<string, unknown>>
  readonly #calls = new OneAtATime()
  #snapshot: ParquetSnapshot = { files: 0, rows: 0 }

  constructor(files: NumberedFiles, columns: readonly (readonly [string, ParquetType])[], row: (item: Item) => Readonly<Record<string, unknown>>) {
    this.#files = files
    this.#columns = columns
    this.#row = row
  }

  flushDelta(frozen: Iterable<Item>, epochs: EpochRange, { signal }: { signal: AbortSignal }): Promise<ParquetSnapshot> {
    return this.#calls.run(() => this.#flush(frozen, epochs, signal))
  }

  flushStorage(): Promise<void> {
    return this.#calls.run(() => this.#files.sync())
  }

  async #flush(frozen: Iterable<Item>, epochs: EpochRange, signal: AbortSignal): Promise<ParquetSnapshot> {
    const writer = await loadedWriter()
    throwIfAborted(signal)
    // From the look at the values to the bytes without a turn, in which somebody could change them.
    const columnData = this.#transposed(frozen, epochs)
    const rows = columnData[0]?.data.length ?? 0
    if (rows === 0) return this.#snapshot
    const path = await this.#store(bytesOf(writer, columnData))
    return (this.#snapshot = { path, files: this.#snapshot.files + 1, rows: this.#snapshot.rows + rows })
  }

  #transposed(items: Iterable<Item>, { start }: EpochRange): Column[] {
    const columns = this.#columns.map(([name, type]) => ({ name, type, data: [] as unknown[] }))
    let n = 0
    for (const item of items) {
      const what = `item ${n++} of the delta from epoch ${start}`
      const values = this.#valuesOf(item, what)
      for (const [at, { name, type, data }] of columns.entries()) {
        const value = values[at] ?? null
        const stored = value === null ? null : STORED[type](value)
        if (stored === undefined) throw unfit(`a value does not fit its column: ${what} column=${JSON.stringify(name)} type=${type}`)
        data.push(stored)
      }
    }
    return columns
  }

  /** What an item has for each column. Runs the user's code. */
  #valuesOf(item: Item, what: string): unknown[] {
    let row: unknown
    try {
      row = this.#row(item)
      if (typeof row === 'object' && row !== null) return this.#columns.map(([name]) => (row as Readonly<Record<string, unknown>>)[name])
    } catch (cause) {
      throw unfit(`${what} has no row`, cause)
    }
    throw unfit(`${what} has no row: an object is needed`)
  }

  async #store(bytes: Uint8Array): Promise<string> {
    const path = await this.#files.next()
    const part = `${path}.part`
    const file = await createFile(part)
    try {
      try {
        await writeAll(file, bytes, 0)
        await syncFile(file)
      } finally {
        await file.close()
      }
      await tried('naming a file', rename(part, path))
    } catch (error) {
      await unlink(part).catch(() => {}) // the first error is reported
      throw error
    }
    return path
  }
}

function withoutPrototype(_: string, value: unknown): unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (Object.setPrototypeOf(value, null) as unknown) : value
}

function bytesOf(writer: Writer, columnData: readonly Column[]): Uint8Array {
  try {
    return new Uint8Array(writer.parquetWriteBuffer({ columnData }))
  } catch (cause) {
    throw unfit('the delta cannot be encoded', cause)
  }
}

function unfit(message: string, cause?: unknown): Error {
  return errorOf('ERR_CODEC', message, { codec: 'parquet' }, cause)
}

async function loadedWriter(): Promise<Writer> {
  try {
    return (await import(WRITER)) as Writer
  } catch (cause) {
    throw errorOf('ERR_NOT_FOUND', `the package ${WRITER} is needed for Parquet files; npm install ${WRITER}`, { path: WRITER }, cause)
  }
}

function checkedColumns(columns: unknown): [string, ParquetType][] {
  const entries = typeof columns === 'object' && columns !== null ? (Object.entries(columns) as [string, ParquetType][]) : []
  if (entries.length === 0) throw invalidArgument('columns', 'an object with a column at least is needed')
  for (const [name, type] of entries) if (!Object.hasOwn(STORED, type)) throw invalidArgument(`columns.${name}`, `a type is one of ${Object.keys(STORED).join(', ')}`)
  return entries
}
