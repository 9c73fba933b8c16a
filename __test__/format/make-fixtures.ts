// Makes the fixtures of one format, once: released ones are never made again; a new format gets a new folder beside them.
//
//   node --import=./scripts/typescript/register.mjs __test__/format/make-fixtures.ts FOLDER      (fixtures/format-1/store)
//
// Each store is made in a child: `closed` is sealed and ends with a clean mark, `killed` ends by SIGKILL with a tail in its journal that was never
// flushed to LMDB and the log. FOLDER/NAME holds the files, each compressed (.br), FOLDER/NAME.json what can be read from them. A stand-alone log of
// events goes into a folder `log` beside `store`.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants } from 'node:zlib'
import { open, type CanonicalStore, type OpenOptions } from '../../src/index.ts'
import { filesOf } from '../crash/mutations.ts'
import { runChild } from '../support/child.ts'
import { report } from '../support/report.ts'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'
import { collectionsOf, contentOf } from './content.ts'

const NEVER = { flush: { intervalMs: 3_600_000 }, segmentBytes: 64 * 1024 } as const
/** LMDB makes it anew. */
const LEFT_OUT = 'state/lock.mdb'

const [folder, path, end] = process.argv.slice(2)
if (folder === undefined) throw new Error('where to? fixtures/format-N/store')
if (path === undefined) await makeAll(folder)
else await make(path, end as 'closed' | 'killed')

async function makeAll(folder: string): Promise<void> {
  for (const name of ['closed', 'killed']) {
    const path = makeTemporaryFolder()
    const { signal, code, reports, stderr } = await runChild(fileURLToPath(import.meta.url), { args: [folder, path, name] })
    if (name === 'killed' ? signal !== 'SIGKILL' : code !== 0) throw new Error(stderr)
    const into = join(folder, name)
    rmSync(into, { recursive: true, force: true })
    for (const file of filesOf(path)) {
      if (file === LEFT_OUT) continue
      const bytes = readFileSync(join(path, file))
      mkdirSync(dirname(join(into, file)), { recursive: true })
      const params = { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length }
      writeFileSync(join(into, `${file}.br`), brotliCompressSync(bytes, { params }))
    }
    const lines = Object.entries(JSON.parse(reports[0] as string) as object).map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)}`)
    writeFileSync(`${into}.json`, `{\n${lines.join(',\n')}\n}\n`)
    rmSync(path, { recursive: true })
  }
}

async function make(path: string, end: 'closed' | 'killed'): Promise<void> {
  await closedSegments(path)
  const store = await openWith(path, { eventCompression: 'zstd' })
  await appendFlushed(store, 20)
  if (end === 'closed') await sealedEnd(store)
  else await unflushedTail(store)
  report(JSON.stringify(contentOf(store)))
  if (end === 'killed') process.kill(process.pid, 'SIGKILL')
  await store.close()
}

/** State in all codecs; a segment that is trimmed away whole, one that is not, one with LZ4. */
async function closedSegments(path: string): Promise<void> {
  const store = await openWith(path, {})
  const { text, bytes, gone } = collectionsOf(store)
  await store.transact((tx) => {
    for (let n = 0; n < 40; n++) tx.put(store.state, `key ${n}`, { n, half: n / 2, list: [n, `${n}`, null, n % 2 === 0] })
    tx.put(store.state, 'é 日本 🙂', 'a key beyond ASCII')
    for (const key of ['a', 'a\u0000', 'ab', 'b']) tx.put(text, key, `a text under ${JSON.stringify(key)}`)
    tx.put(text, 'empty', '')
    tx.put(text, 'on pages of its own', 'a long text '.repeat(1000))
    for (const key of [[0], [0, 0], [0xff], [0xff, 0xff], [1, 0xff, 2]]) tx.put(bytes, Buffer.from(key), Buffer.from([...key, 0, 0xff]))
    tx.put(bytes, Buffer.from('empty'), Buffer.alloc(0))
    tx.put(gone, 'a', 1)
  })
  await appendFlushed(store, 10)
  await store.rotateEvents()
  await store.transact((tx) => {
    for (let n = 0; n < 40; n += 3) tx.delete(store.state, `key ${n}`)
    tx.put(store.state, 'key 1', 'overwritten')
  })
  // Frames of 8 KiB and more, which are all in the index, and small ones, which are not.
  for (const size of [3000, 3000, 40, 40, 40, 3000]) await appendFlushed(store, 3, size)
  await store.rotateEvents()
  await store.trimEvents({ before: 14 })
  await store.close()

  const lz4 = await openWith(path, { eventCompression: 'lz4' })
  for (let batch = 0; batch < 3; batch++) await appendFlushed(lz4, 10, 400)
  await lz4.rotateEvents()
  await lz4.close()
}

/** Everything flushed and sealed; left with a clean mark. */
async function sealedEnd(store: CanonicalStore): Promise<void> {
  await store.dropCollection('gone')
  await store.seal()
  await store.unseal()
  await store.append('the last event')
  await store.seal()
}

/** After the last flush: commits that share a group, one that changes the journal's file, every kind of frame and of operation. */
async function unflushedTail(store: CanonicalStore): Promise<void> {
  const { text, bytes, later } = collectionsOf(store)
  await Promise.all(
    [1, 2, 3].map((n) =>
      store.transact((tx) => {
        tx.append({ tail: n })
        tx.put(text, `tail ${n}`, 'one of three in a group')
      }),
    ),
  )
  await store.seal()
  await store.unseal()
  for (const char of ['x', 'y', 'z']) await text.put('large', char.repeat(900_000))
  await store.trimEvents({ before: 16 })
  await store.transact((tx) => {
    tx.delete(text, 'large')
    tx.put(later, 'made in the tail', [1, 2, 3])
    tx.delete(bytes, Buffer.from([0, 0]))
    tx.appendAll(['', { last: true }])
  })
  await store.dropCollection('gone')
}

/** One commit with `count` events, and a flush: a separate frame in the log. */
async function appendFlushed(store: CanonicalStore, count: number, size = 10): Promise<void> {
  const first = store.nextEventId
  await store.appendAll(Array.from({ length: count }, (_, i) => ({ id: first + i, text: `event ${first + i} `.repeat(size / 10) })))
  await store.flush()
}

function openWith(path: string, options: Pick<OpenOptions, 'eventCompression'>): Promise<CanonicalStore> {
  return open(path, { ...NEVER, ...options })
}
