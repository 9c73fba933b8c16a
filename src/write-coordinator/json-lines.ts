// A ready flusher: items as lines of JSON in files of a folder. Before a delta is `written`, its file has all of it and is flushed to the device; before it is
// `durable`, new names are flushed too. A run begins a new file, so what a power cut has torn stays at the end of its file.
import type { FileHandle } from 'node:fs/promises'
import { errorOf } from '../errors.ts'
import { throwIfAborted } from '../internal/platform.ts'
import { checkedPath, checkFunction, checkInteger, checkOptions } from '../internal/validate.ts'
import type { EpochRange } from './coordinator-types.ts'
import { checkedName } from './file-name.ts'
import { encodedText, type ItemsFlusher } from './items-flusher.ts'
import { createFile, NumberedFiles, reopenFile, syncFile, tried, writeAll } from './numbered-files.ts'
import { OneAtATime } from './one-at-a-time.ts'

const OPTIONS: ReadonlySet<string> = new Set(['name', 'maxBytes', 'encode'])
const MAX_BYTES = 64 * 1024 * 1024
/** Lines are collected up to this length before they are written. */
const CHUNK_LENGTH = 1 << 20

/** How {@link jsonLines} stores. */
export interface JsonLinesOptions<Item> {
  /** What the names of its files begin with: letters, digits, `-`, `_`, `.`. @default 'lines' */
  name?: string | undefined
  /** A file that has so many bytes gets no further delta. @default 64 MiB */
  maxBytes?: number | undefined
  /** Makes a line of an item, without a line break. @default JSON.stringify */
  encode?: ((item: Item) => string) | undefined
}

/** How far {@link jsonLines} has come. */
export interface JsonLinesSnapshot {
  /** The newest file. */
  readonly path: string
  /** Its length. */
  readonly bytes: number
  /** Lines stored since the flusher was made, in all files. */
  readonly lines: number
}

/**
 * A flusher that stores items as lines of JSON, in files named `lines-000000000001-<mark>.jsonl` and so on. Names sort in the order of the files. It makes the
 * folder when it needs it. Only the user can read folder and files (0700, 0600).
 *
 * A delta is stored whole or not at all: what a failed attempt has written is cut off again. `ERR_NO_SPACE` may be tried again ({@link CoordinatorOptions.retry}).
 * A power cut can leave the beginning of a delta that was not yet `written` at the end of a file, with its last line torn.
 *
 * Its calls reject with `ERR_NO_SPACE`, `ERR_IO`, and `ERR_CODEC` for an item that has no line. That ends the coordinator: refuse such an item earlier, in `keep`
 * of {@link listDelta}.
 *
 * @throws `ERR_INVALID_ARGUMENT`
 * @example
 * ```ts
 * interface Visit { at: number; path: string }
 * interface Visits extends ListDeltaTypes<Visit, string> { Snapshot: JsonLinesSnapshot | undefined }
 *
 * const init = listDelta<Visit, string>({ keep: (visit) => JSON.stringify(visit) }) // what has no line is refused when it is written
 * const flusher = jsonLines<string>('./visits', { maxBytes: 1 << 20, encode: (line) => line })
 * const coordinator = new WriteCoordinator<Visits>({ init, context: undefined, snapshot: undefined, flusher })
 * await coordinator.write({ at: Date.now(), path: '/' })
 * await coordinator.close()
 * console.log(coordinator.view().snapshot?.path)
 * ```
 */
export function jsonLines<Item = unknown>(folder: string | URL, options?: JsonLinesOptions<Item>): ItemsFlusher<Item, JsonLinesSnapshot> {
  const path = checkedPath(folder, 'folder')
  checkOptions(options, OPTIONS, 'options')
  const { name = 'lines', maxBytes = MAX_BYTES, encode = (item: Item) => JSON.stringify(item) } = options ?? {}
  checkInteger(maxBytes, 1, 'maxBytes')
  checkFunction(encode, 'encode')
  return new JsonLines(new NumberedFiles(path, checkedName(name), '.jsonl'), maxBytes, encode)
}

class JsonLines<Item> implements ItemsFlusher<Item, JsonLinesSnapshot> {
  readonly #files: NumberedFiles
  readonly #maxBytes: number
  readonly #encode: (item: Item) => string
  readonly #calls = new OneAtATime()
  #snapshot: JsonLinesSnapshot | undefined
  /** A failed attempt may have written beyond the end. */
  #isTorn = false

  constructor(files: NumberedFiles, maxBytes: number, encode: (item: Item) => string) {
    this.#files = files
    this.#maxBytes = maxBytes
    this.#encode = encode
  }

  flushDelta(frozen: Iterable<Item>, epochs: EpochRange, { signal }: { signal: AbortSignal }): Promise<JsonLinesSnapshot> {
    return this.#calls.run(() => this.#flush(frozen, epochs, signal))
  }

  flushStorage(): Promise<void> {
    return this.#calls.run(() => this.#files.sync())
  }

  async #flush(frozen: Iterable<Item>, epochs: EpochRange, signal: AbortSignal): Promise<JsonLinesSnapshot> {
    const { file, at } = await this.#open()
    try {
      return (this.#snapshot = await this.#append(file, at, this.#chunks(frozen, epochs), signal))
    } finally {
      await file.close()
    }
  }

  /** The newest file, if it is as it was left and has room; otherwise a new one. */
  async #open(): Promise<{ file: FileHandle; at: JsonLinesSnapshot }> {
    const newest = this.#snapshot
    if (newest !== undefined && newest.bytes < this.#maxBytes) {
      const file = await this.#reopen(newest)
      if (file !== undefined) return { file, at: newest }
    }
    const path = await this.#files.next()
    const file = await createFile(path)
    this.#isTorn = false
    return { file, at: (this.#snapshot = { path, bytes: 0, lines: newest?.lines ?? 0 }) }
  }

  /** The file, if it is as it was left. */
  async #reopen(newest: JsonLinesSnapshot): Promise<FileHandle | undefined> {
    const file = await reopenFile(newest.path)
    let isKept = false
    try {
      isKept = file !== undefined && (await this.#isAsItWas(file, newest))
      return isKept ? file : undefined
    } finally {
      if (!isKept) await file?.close()
    }
  }

  /** Whether the file has not been changed since. Cuts off what a failed attempt has written. */
  async #isAsItWas(file: FileHandle, { bytes }: JsonLinesSnapshot): Promise<boolean> {
    const stat = await tried('looking at a file', file.stat())
    if (!stat.isFile() || stat.size < bytes) return false
    if (this.#isTorn) await tried('cutting a file', file.truncate(bytes))
    else if (stat.size > bytes) return false
    this.#isTorn = false
    return true
  }

  async #append(file: FileHandle, at: JsonLinesSnapshot, chunks: Iterable<{ text: string; lines: number }>, signal: AbortSignal): Promise<JsonLinesSnapshot> {
    let { bytes, lines } = at
    try {
      for (const chunk of chunks) {
        throwIfAborted(signal)
        const encoded = Buffer.from(chunk.text)
        await writeAll(file, encoded, bytes)
        bytes += encoded.length
        lines += chunk.lines
      }
    } catch (error) {
      this.#isTorn = true
      await file.truncate(at.bytes).catch(() => {}) // the first error is reported, and the next attempt cuts again
      throw error
    }
    await syncFile(file)
    return { path: at.path, bytes, lines }
  }

  *#chunks(items: Iterable<Item>, { start }: EpochRange): Generator<{ text: string; lines: number }> {
    let text = ''
    let lines = 0
    let n = 0
    for (const item of items) {
      const what = `item ${n++} of the delta from epoch ${start}`
      const line = encodedText(this.#encode, item, what)
      if (line.includes('\n')) throw errorOf('ERR_CODEC', `${what} cannot be encoded: it has more than one line`, { codec: 'json' })
      text += `${line}\n`
      lines++
      if (text.length < CHUNK_LENGTH) continue
      yield { text, lines }
      text = ''
      lines = 0
    }
    if (lines > 0) yield { text, lines }
  }
}
