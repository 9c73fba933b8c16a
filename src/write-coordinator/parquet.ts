// A ready flusher: each delta as one Parquet file. A file has its name only when it is whole and flushed to the device; the name is durable when the delta is. The
// writer is the package `hyparquet-writer`, which is loaded with the first delta.
import { rename, unlink } from 'node:fs/promises'
import { errorOf, invalidArgument } from '../errors.ts'
import { throwIfAborted } from '../internal/platform.ts'
import { checkedPath, checkFunction, checkOptions } from '../internal/validate.ts'
import type { EpochRange } from './coordinator-types.ts'
import { checkedName } from './file-name.ts'
import type { ItemsFlusher } from './items-flusher.ts'
import { createFile, NumberedFiles, syncFile, tried, writeAll } from './numbered-files.ts'
import { OneAtATime } from './one-at-a-time.ts'

const OPTIONS: ReadonlySet<string> = new Set(['columns', 'row', 'name'])
/** Not for a bundler to look for: it is needed only by those who use it. */
const WRITER = 'hyparquet-writer'

/** What a column holds, beside nothing: `null` and `undefined` fit all. */
export type ParquetType = 'BOOLEAN' | 'INT32' | 'INT64' | 'DOUBLE' | 'STRING' | 'TIMESTAMP' | 'JSON'

/** Whether a value can be read again from a column of the type as what it was. */
const FITS: Readonly<Record<ParquetType, (value: unknown) => boolean>> = {
  BOOLEAN: (value) => typeof value === 'boolean',
  INT32: (value) => Number.isInteger(value) && (value as number) >= -(2 ** 31) && (value as number) < 2 ** 31,
  INT64: (value) => Number.isSafeInteger(value) || (typeof value === 'bigint' && BigInt.asIntN(64, value) === value),
  DOUBLE: (value) => typeof value === 'number',
  STRING: (value) => typeof value === 'string' && !/\p{Surrogate}/u.test(value),
  TIMESTAMP: (value) => Object.prototype.toString.call(value) === '[object Date]' && Number.isFinite(Number(value)),
  JSON: (value) => typeof value !== 'function' && typeof value !== 'symbol' && typeof value !== 'bigint',
}

/** How {@link parquet} stores. */
export interface ParquetOptions<Item> {
  /** The columns, in their order. INT64 takes bigints and safe integers, TIMESTAMP dates (to the millisecond, UTC). */
  columns: Readonly<Record<string, ParquetType>>
  /** The values of an item by column. By default the item's own fields. */
  row?: ((item: Item) => Readonly<Record<string, unknown>>) | undefined
  /** What its files' names begin with: letters, digits, `-`, `_`, `.`. Default `rows`. */
  name?: string | undefined
}

/** Where {@link parquet} has got to. */
export interface ParquetSnapshot {
  /** The newest file; absent before the first. */
  readonly path?: string
  /** Files that were stored since the flusher was made. */
  readonly files: number
  /** Rows in them. */
  readonly rows: number
}

interface Column {
  readonly name: string
  readonly type: ParquetType
  readonly data: unknown[]
}

/** What is used of `hyparquet-writer`. */
interface Writer {
  parquetWriteBuffer(options: { columnData: readonly Column[] }): ArrayBuffer
}

/**
 * A flusher that stores each delta as a Parquet file, `rows-000000000001-<mark>.parquet` and so on, in a folder that is made when it is needed. Names sort in the order of
 * the files; those that end with `.part` are unfinished. A file is made in memory, within one turn of the event loop: choose `flush.bytes` by that.
 *
 * Needs the package `hyparquet-writer` beside this one (`npm install hyparquet-writer`).
 *
 * Its calls reject with `ERR_NO_SPACE` (may be tried again), `ERR_IO`, `ERR_NOT_FOUND` (the package), and `ERR_CODEC` for a value that does not fit its column, which ends the coordinator.
 *
 * @throws `ERR_INVALID_ARGUMENT`
 * @example
 * ```ts
 * interface Hits extends ListDeltaTypes<{ at: Date; path: string }> { Snapshot: ParquetSnapshot | undefined }
 * const flusher = parquet<{ at: Date; path: string }>('./hits', { columns: { at: 'TIMESTAMP', path: 'STRING' } })
 * const coordinator = new WriteCoordinator<Hits>({ init: listDelta(), context: undefined, snapshot: undefined, flusher, flush: { bytes: 4 << 20, intervalMs: 60_000 } })
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
    const columnData = this.#transposed(frozen, epochs)
    const rows = columnData[0]?.data.length ?? 0
    if (rows === 0) return this.#snapshot
    const writer = await loadedWriter()
    throwIfAborted(signal)
    const path = await this.#store(new Uint8Array(writer.parquetWriteBuffer({ columnData })))
    return (this.#snapshot = { path, files: this.#snapshot.files + 1, rows: this.#snapshot.rows + rows })
  }

  #transposed(items: Iterable<Item>, { start }: EpochRange): Column[] {
    const columns = this.#columns.map(([name, type]) => ({ name, type, data: [] as unknown[] }))
    let n = 0
    for (const item of items) {
      const row = this.#row(item)
      for (const { name, type, data } of columns) {
        const value = row[name] ?? null
        if (value !== null && !FITS[type](value))
          throw errorOf('ERR_CODEC', `a value does not fit its column: item ${n} of the delta from epoch ${start} column=${JSON.stringify(name)} type=${type}`, {
            codec: 'parquet',
          })
        data.push(type === 'INT64' && typeof value === 'number' ? BigInt(value) : value)
      }
      n++
    }
    return columns
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
      await unlink(part).catch(() => {}) // what was wrong first is told
      throw error
    }
    return path
  }
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
  for (const [name, type] of entries) if (!Object.hasOwn(FITS, type)) throw invalidArgument(`columns.${name}`, `a type is one of ${Object.keys(FITS).join(', ')}`)
  return entries
}
