// Files of one kind in a folder, numbered so that their names sort in the order of their making. Each name has a random mark of its maker, so processes that
// share a folder never use the same file, and an existing file is never written to. Only files of the same call are removed.
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { errorOf } from '../errors.ts'

const DIGITS = 12
/** One with more digits would not sort behind it. */
const MAX_NUMBER = 10 ** DIGITS - 1
const PRIVATE_FOLDER = 0o700
const PRIVATE_FILE = 0o600
const { O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants as Partial<typeof constants> // Windows has neither
/** Does not follow a link, or wait for a pipe, in the place of a file. */
const AS_IT_WAS = constants.O_WRONLY | O_NOFOLLOW | O_NONBLOCK

/** The files `name-<number>-<mark><extension>` of a folder, which is made when it is needed. */
export class NumberedFiles {
  readonly #folder: string
  readonly #name: string
  readonly #extension: string
  readonly #mark = randomBytes(4).toString('hex')
  #last: number | undefined
  #mustSync = false

  constructor(folder: string, name: string, extension: string) {
    this.#folder = resolve(folder)
    this.#name = name
    this.#extension = extension
  }

  /** The path of the next file. */
  async next(): Promise<string> {
    const last = this.#last ?? (await this.#begin())
    if (last >= MAX_NUMBER) throw errorOf('ERR_LIMIT', `no number is left for a file: folder=${this.#folder}`, { limit: 'number', size: last + 1, max: MAX_NUMBER })
    this.#last = last + 1
    this.#mustSync = true
    return join(this.#folder, `${this.#name}-${String(this.#last).padStart(DIGITS, '0')}-${this.#mark}${this.#extension}`)
  }

  /** Makes the names of new files durable. */
  async sync(): Promise<void> {
    if (!this.#mustSync) return
    await syncFolder(this.#folder)
    this.#mustSync = false
  }

  /** Makes the folder; returns the highest number in it. */
  async #begin(): Promise<number> {
    await makeFolders(this.#folder)
    const numbers = (await tried('reading a folder', readdir(this.#folder))).map((file) => this.#numberOf(file))
    return numbers.reduce((most, number) => Math.max(most, number), 0)
  }

  #numberOf(file: string): number {
    if (!file.startsWith(`${this.#name}-`)) return 0
    const digits = /^\d+/.exec(file.slice(this.#name.length + 1))?.[0] ?? ''
    return digits.length === DIGITS ? Number(digits) : 0
  }
}

/** Makes a file that must not exist. */
export function createFile(path: string): Promise<FileHandle> {
  return tried('making a file', open(path, 'wx', PRIVATE_FILE))
}

/** Opens a file that was made earlier; `undefined` if that fails. */
export function reopenFile(path: string): Promise<FileHandle | undefined> {
  return open(path, AS_IT_WAS).catch(() => undefined)
}

/** Writes all bytes. */
export async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await tried('writing a file', file.write(bytes, done, bytes.length - done, position + done))
    done += bytesWritten
  }
}

/** Flushes a file to the device. Never repeated: after a failed flush data may be lost without a further error. */
export async function syncFile(file: FileHandle): Promise<void> {
  await file.datasync().catch((error: unknown) => {
    throw ioError('flushing a file', error)
  })
}

/** The outcome of a system call. Its error becomes `ERR_NO_SPACE`, which may be tried again, or `ERR_IO`. */
export async function tried<R>(what: string, call: Promise<R>): Promise<R> {
  try {
    return await call
  } catch (error) {
    const isFull = ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')
    throw isFull ? errorOf('ERR_NO_SPACE', `${what} failed, as the device is full`, undefined, error) : ioError(what, error)
  }
}

function ioError(what: string, error: unknown): Error {
  const { code, errno, syscall, path } = error as NodeJS.ErrnoException
  const fields = { errno, syscall, path }
  const known = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
  return errorOf('ERR_IO', `${what} failed: syscall=${syscall} code=${code}`, known, error)
}

/**
 * Makes the folder and those above it that are missing, each with a durable name before anything is made in it. One that is there may have been made by a process that
 * died before it flushed the name, so the lowest that is there is flushed too.
 */
async function makeFolders(folder: string): Promise<void> {
  const above = dirname(folder)
  if (above === folder) return // a root
  if (!(await isThere(folder))) {
    await makeFolders(above)
    await tried('making a folder', mkdir(folder, { recursive: true, mode: PRIVATE_FOLDER })) // recursive: another process may have made it by now
  }
  await syncName(folder)
}

async function isThere(folder: string): Promise<boolean> {
  try {
    return (await stat(folder)).isDirectory()
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
    throw ioError('looking at a folder', error)
  }
}

/** Flushes the folder's name. Where the folder around it may not be read, or has no flush, the folder itself has to do. */
async function syncName(folder: string): Promise<void> {
  try {
    await syncFolder(dirname(folder))
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EINVAL', 'EROFS'].includes(((error as Error).cause as NodeJS.ErrnoException | undefined)?.code ?? '')) throw error
    await syncFolder(folder)
  }
}

async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return // folders cannot be flushed there
  const handle = await tried('opening a folder', open(folder, constants.O_RDONLY))
  try {
    await handle.sync().catch((error: unknown) => {
      throw ioError('flushing a folder', error)
    })
  } finally {
    await handle.close()
  }
}
