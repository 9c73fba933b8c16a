// Parquet files: read again by another library, whole or not there, and every value as it was or refused.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import test from 'ava'
import { parquetReadObjects } from 'hyparquet'
import type { LedgerstoneError } from '../../src/index.ts'
import {
  listDelta,
  type ListDeltaTypes,
  parquet,
  type ParquetOptions,
  type ParquetSnapshot,
  type ParquetType,
  WriteCoordinator,
} from '../../src/write-coordinator/index.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const { signal } = new AbortController()

async function rowsIn(path: string): Promise<Record<string, unknown>[]> {
  const bytes = readFileSync(path)
  return parquetReadObjects({ file: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) })
}

interface Row {
  at: Date
  path: string
  ms: number
  status: number
  isCached: boolean | undefined
  size: bigint
  more: unknown
}
interface Rows extends ListDeltaTypes<Row> {
  Snapshot: ParquetSnapshot | undefined
}

test('each delta is a file that another library reads', async (t) => {
  const folder = join(temporaryFolder(t), 'rows')
  const columns = { at: 'TIMESTAMP', path: 'STRING', ms: 'DOUBLE', status: 'INT32', isCached: 'BOOLEAN', size: 'INT64', more: 'JSON' } as const
  const flusher = parquet<Row>(folder, { columns })
  const coordinator = new WriteCoordinator<Rows>({ init: listDelta(), context: undefined, snapshot: undefined, flusher, flush: { writes: 100 } })
  const rows = Array.from({ length: 250 }, (_, n): Row => ({
    at: new Date(1_700_000_000_000 + n),
    path: `/ä/${n % 7}`,
    ms: n / 3,
    status: n % 5 === 0 ? -500 : 200,
    isCached: [true, false, undefined][n % 3],
    size: 2n ** 60n + BigInt(n),
    more: { n, list: [n] },
  }))
  for (const row of rows) await coordinator.write(row)
  await coordinator.close()
  const files = readdirSync(folder).toSorted()
  t.deepEqual(
    files.map((file) => file.slice(0, 17)),
    ['rows-000000000001', 'rows-000000000002', 'rows-000000000003'],
  )
  t.deepEqual(coordinator.view().snapshot, { path: join(folder, files[2] as string), files: 3, rows: 250 })
  const read = (await Promise.all(files.map((file) => rowsIn(join(folder, file))))).flat()
  t.deepEqual(read, rows.map((row) => Object.assign(row, { isCached: row.isCached ?? null })) as never)
})

// Kind "input checked instead of output": a value either comes back as what it was, or is refused.
// Bug: a bigint inside a JSON value came back as another number, and a cycle ended in an error of the writer's. Mechanism: the outermost value was looked at alone,
// and the writer makes numbers of bigints. Fix: what is stored is what `JSON.stringify` says of it.
test('a value comes back as what it was, or is refused', async (t) => {
  const cycle: unknown[] = []
  cycle.push(cycle)
  const values: Record<ParquetType, readonly [good: readonly unknown[], bad: readonly unknown[]]> = {
    BOOLEAN: [
      [true, false, null],
      [1, 'true'],
    ],
    INT32: [
      [0, -(2 ** 31), 2 ** 31 - 1, null],
      [2 ** 31, 0.5, Number.NaN, '1', 1n],
    ],
    INT64: [
      [0n, -(2n ** 63n), 2n ** 63n - 1n, BigInt(Number.MAX_SAFE_INTEGER), null],
      [2n ** 63n, 0.5, 2 ** 53, '1'],
    ],
    DOUBLE: [
      [0, -0.5, Infinity, 1e-320, Number.MAX_VALUE, null],
      ['1', 1n],
    ],
    STRING: [
      ['', 'ä\u0000\n', '🦜', 'x'.repeat(100_000), null],
      [1, '\ud800', {}],
    ],
    TIMESTAMP: [
      [new Date(0), new Date(8.64e15), new Date(-8.64e15), new Date(-1), null],
      [new Date(Number.NaN), 1, '2020-01-01', {}, { [Symbol.toStringTag]: 'Date', valueOf: () => 1 }],
    ],
    JSON: [
      [{ a: [1, 'b', null] }, 'text', 5, [1], true, null, JSON.parse('{ "__proto__": { "a": 1 } }')],
      [1n, () => 1, Symbol('a'), Number.NaN, { a: [2n ** 60n] }, cycle, { toJSON: () => undefined }],
    ],
  }
  for (const [type, [good, bad]] of Object.entries(values) as [ParquetType, (typeof values)[ParquetType]][]) {
    const flusher = parquet(join(temporaryFolder(t), type), { columns: { value: type, n: 'INT32' }, row: (value) => ({ value, n: 1 }) })
    const { path } = await flusher.flushDelta(good, { start: 1, end: 2 }, { signal })
    t.deepEqual(
      (await rowsIn(path as string)).map(({ value }) => value),
      good as never,
      type,
    )
    for (const value of bad) {
      const error = (await t.throwsAsync(
        flusher.flushDelta([good[0], value], { start: 5, end: 7 }, { signal }),
        { code: 'ERR_CODEC' },
        `${type} ${inspect(value)}`,
      )) as LedgerstoneError
      t.regex(error.message, /item 1 of the delta from epoch 5 column="value"/)
    }
  }
})

test('nothing to store is no file, what fails leaves none, and what is there stays', async (t) => {
  const folder = temporaryFolder(t)
  const make = (options: Partial<ParquetOptions<{ a: number }>> = {}): ReturnType<typeof parquet<{ a: number }>> =>
    parquet(folder, { columns: { a: 'INT32' }, ...options })
  t.deepEqual(await make().flushDelta([], { start: 1, end: 1 }, { signal }), { files: 0, rows: 0 })
  writeFileSync(join(folder, 'rows-000000000041-other.parquet.part'), 'unfinished')
  const flusher = make()
  const { path } = await flusher.flushDelta([{ a: 1 }], { start: 1, end: 2 }, { signal })
  t.regex(path as string, /rows-000000000042-[0-9a-f]{8}\.parquet$/)
  mkdirSync((path as string).replace('0042', '0043')) // in the way of the next
  writeFileSync(join((path as string).replace('0042', '0043'), 'file'), '')
  await t.throwsAsync(flusher.flushDelta([{ a: 2 }], { start: 2, end: 3 }, { signal }), { code: 'ERR_IO' })
  t.deepEqual(
    readdirSync(folder).filter((name) => name.endsWith('.part')),
    ['rows-000000000041-other.parquet.part'],
  )
  t.deepEqual(await flusher.flushDelta([{ a: 2 }], { start: 2, end: 3 }, { signal }), { path: (path as string).replace('0042', '0044'), files: 2, rows: 2 })
  await flusher.flushStorage({ signal })
})

// Bug: a delta of items without rows was a file of nothing, or an error without a code. Mechanism: fields were read of whatever an item was. Fix: a row is an object, and what gives it may fail.
test('an item without a row is refused with where it is', async (t) => {
  const columns = { a: 'INT32' } as const
  const fails = (): never => {
    throw new Error('mine')
  }
  const bad: readonly [unknown, ((item: unknown) => never)?][] = [
    [null],
    [undefined],
    [5],
    ['text'],
    [{}, fails],
    [
      {
        get a() {
          return fails()
        },
      },
    ],
  ]
  for (const [item, row] of bad) {
    const flusher = parquet(temporaryFolder(t), { columns, row })
    await t.throwsAsync(flusher.flushDelta([{ a: 1 }, item].slice(row === undefined ? 0 : 1), { start: 5, end: 7 }, { signal }), {
      code: 'ERR_CODEC',
      message: /item [01] of the delta from epoch 5 has no row/,
    })
  }
})

// Bug: what was stored was not what had been checked. Mechanism: the writer was loaded between the two. Fix: it is loaded first.
test('values are looked at and made bytes of in one turn; JSON is as `JSON.stringify` has it', async (t) => {
  const flusher = parquet<{ a: unknown }>(temporaryFolder(t), { columns: { a: 'JSON' }, row: (item) => (void Promise.resolve().then(() => (item.a = 'changed')), item) })
  const { path } = await flusher.flushDelta([{ a: 'a' }, { a: { toJSON: () => 'b' } }], { start: 1, end: 3 }, { signal })
  t.deepEqual(await rowsIn(path as string), [{ a: 'a' }, { a: 'b' }])
})
