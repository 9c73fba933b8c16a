// The native calls without the TypeScript above them: how the tests of this folder pack what crosses, and unpack it again.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ANSWER, CallMemory, ID, OFFSET, READER } from '../../src/native/call-memory.ts'
import { type ColdCalls, type HotCalls, type NativeOptions, joinThread, nativeError } from '../../src/native/binding.ts'
import type { LedgerstoneError } from '../../src/errors.ts'

export interface Counters extends Record<keyof HotCalls, number> {
  wakes: number
}
const thread = joinThread()
export const cold = thread.cold as ColdCalls & { counters(): Counters }

const listeners = new Set<() => void>()
/** The hot calls of this environment; they exist once. */
export const hot: HotCalls = thread.hot
thread.home.wakes.add(() => {
  for (const listener of listeners) listener()
})

/** Where hot reads find their arguments, and what they answer. */
export const memory: CallMemory = new CallMemory(cold)

/** Calls `listener` at every wake until the returned function is called. */
export function onWake(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export const HEAD_BYTES = 64
export const FAILED = -3
export const OPTIONS: NativeOptions = { create: true, eventCodec: 'binary' }

/** A separate folder for one test, removed at its end. */
export async function folder(t: { teardown(fn: () => unknown): void }): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'ledgerstone-binding-'))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  return path
}

/** A separate store for one test, with slot 0 for string keys. */
export async function openIn(t: { teardown(fn: () => unknown): void }, options: Partial<NativeOptions> = {}): Promise<{ store: number; path: string }> {
  const path = await folder(t)
  const { store } = await cold.openStore(path, { ...OPTIONS, ...options })
  t.teardown(() => cold.closeStore(store).catch(() => {})) // teardowns run last first; many tests close it themselves
  cold.collectionSlot(store, 'things', 'utf8', 'binary')
  return { store, path }
}

/** A separate event log for one test. */
export async function openLogIn(t: { teardown(fn: () => unknown): void }): Promise<number> {
  const { log } = await cold.openEventLog(await folder(t), {
    opening: 'createOrOpen',
    durability: 'written',
    compression: 'none',
    maxEventBytes: 1_000,
    allowNetworkFileSystem: false,
  })
  t.teardown(() => cold.closeEventLog(log).catch(() => {}))
  return log
}

export type Op = { put: string; value: string | Uint8Array; slot?: number } | { delete: string; slot?: number } | { event: string | Uint8Array }

/** A write set of these operations. */
export function writeSet(...ops: readonly Op[]): Buffer {
  const records = ops.map((op) => {
    if ('put' in op) return record(1, op.slot ?? 0, Buffer.from(op.put), Buffer.from(op.value))
    if ('delete' in op) return record(2, op.slot ?? 0, Buffer.from(op.delete), Buffer.alloc(0))
    return record(3, 0, Buffer.alloc(0), Buffer.from(op.event))
  })
  return Buffer.concat([Buffer.alloc(HEAD_BYTES), ...records])
}

export function record(kind: number, slot: number, key: Buffer, value: Buffer): Buffer {
  const bytes = Buffer.alloc((12 + key.length + value.length + 3) & ~3)
  bytes.writeUInt8(kind, 0)
  bytes.writeUInt16LE(key.length, 2)
  bytes.writeUInt32LE(slot, 4)
  bytes.writeUInt32LE(value.length, 8)
  key.copy(bytes, 12)
  value.copy(bytes, 12 + key.length)
  return bytes
}

export interface Committed {
  seq: number
  timestamp: number
  firstEventId: number
  eventsWritten: number
  keysWritten: number
  keysDeleted: number
}

/** Commits, and reads the head. */
export function commit(store: number, ...ops: readonly Op[]): Committed {
  const set = writeSet(...ops)
  if (hot.commit(store, set, set.length, 0) !== 0) throw error()
  return {
    seq: set.readDoubleLE(0),
    timestamp: set.readDoubleLE(8),
    firstEventId: set.readDoubleLE(16),
    eventsWritten: set.readUInt32LE(24),
    keysWritten: set.readUInt32LE(28),
    keysDeleted: set.readUInt32LE(32),
  }
}

/** The error that the last hot call left. */
export function error(): LedgerstoneError & Record<string, unknown> {
  const record = cold.takeError()
  return nativeError(new Error(JSON.stringify(record))) as LedgerstoneError & Record<string, unknown>
}

/** The code that a cold call fails with, `undefined` if it does not. */
export async function codeOf(call: () => unknown): Promise<string | undefined> {
  try {
    await call()
    return undefined
  } catch (thrown) {
    return (nativeError(thrown) as LedgerstoneError).code
  }
}

function ask(reader: number, slot: number, key: string | Uint8Array, offset: number): void {
  memory.ask(reader, slot, key)
  memory.words[OFFSET] = offset
}

/** `hot.get` and what it has answered. */
export function get(reader: number, slot: number, key: string | Uint8Array, pool: ArrayBuffer | Buffer, offset: number): number {
  ask(reader, slot, key, offset)
  hot.get(pool as ArrayBuffer)
  return memory.words[ANSWER] as number
}

/** `hot.getText`, or what it has answered instead. */
export function text(reader: number, slot: number, key: string | Uint8Array): string | number {
  ask(reader, slot, key, 0)
  return hot.getText() ?? (memory.words[ANSWER] as number)
}

/** `hot.has` and what it has answered. */
export function has(reader: number, slot: number, key: string | Uint8Array): number {
  ask(reader, slot, key, 0)
  hot.has()
  return memory.words[ANSWER] as number
}

/** `hot.event` and what it has answered. */
export function event(store: number, id: number, pool: Buffer, offset: number): number {
  memory.numbers[READER] = store
  memory.numbers[ID] = id
  memory.words[OFFSET] = offset
  hot.event(pool as unknown as ArrayBuffer)
  return memory.words[ANSWER] as number
}

/** The value as text; `undefined` when it is missing. */
export function getText(reader: number, key: string | Uint8Array, slot = 0): string | undefined {
  const pool = Buffer.alloc(256)
  const length = get(reader, slot, key, pool, 0)
  if (length === FAILED) throw error()
  if (length === -2) return cold.takeValue().toString()
  return length === -1 ? undefined : pool.toString('utf8', 0, length)
}

export interface BoundsOf {
  gte?: string
  gt?: string
  lt?: string
  lte?: string
  reverse?: boolean
  keysOnly?: boolean
}

export function bounds(of: BoundsOf = {}): Buffer {
  const lower = Buffer.from(of.gte ?? of.gt ?? '')
  const upper = Buffer.from(of.lte ?? of.lt ?? '')
  const flags = [of.gte ?? of.gt, of.gt, of.lte ?? of.lt, of.lte, of.reverse, of.keysOnly]
  const head = Buffer.alloc(12)
  head.writeUInt32LE(
    flags.reduce<number>((bits, flag, at) => (flag === undefined || flag === false ? bits : bits | (1 << at)), 0),
    0,
  )
  head.writeUInt32LE(lower.length, 4)
  head.writeUInt32LE(upper.length, 8)
  return Buffer.concat([head, lower, upper])
}

export interface RangePage {
  done: boolean
  ascii: boolean
  entries: [key: string, value: string][]
}

export function unpackRange(pool: Buffer, used: number): RangePage {
  const entries: [string, string][] = []
  let at = 8
  for (let i = 0; i < pool.readUInt32LE(0); i++) {
    const [keyLength, valueLength] = [pool.readUInt32LE(at), pool.readUInt32LE(at + 4)]
    const key = at + 8
    entries.push([pool.toString('utf8', key, key + keyLength), pool.toString('utf8', key + keyLength, key + keyLength + valueLength)])
    at = (key + keyLength + valueLength + 3) & ~3
  }
  if (at !== used) throw new Error(`the page says ${used} bytes and has ${at}`)
  const flags = pool.readUInt32LE(4)
  return { done: (flags & 1) !== 0, ascii: (flags & 2) !== 0, entries }
}

/** All entries of a range, in pages of `pageBytes`, that grow when one entry asks for more. */
export function readRange(reader: number, of: BoundsOf = {}, pageBytes = 64, limit = -1): [string, string][] {
  const cursor = hot.rangeOpen(reader, 0, bounds(of), limit)
  if (cursor === FAILED) throw error()
  const entries: [string, string][] = []
  let pool = Buffer.alloc(pageBytes)
  for (;;) {
    const used = hot.rangePage(cursor, pool)
    if (used === FAILED) throw error()
    if (used === -2) {
      pool = Buffer.alloc(pool.readUInt32LE(0))
      continue
    }
    const page = unpackRange(pool, used)
    entries.push(...page.entries)
    if (page.done) return entries
  }
}

/** Waits until `level` (1 written, 2 durable, 3 flushed) has reached `seq`, as the package does: one `want`, then wakes. */
export function reached(store: number, level: 1 | 2 | 3, seq: number): Promise<Float64Array> {
  return new Promise((resolve, reject) => {
    const marks = new Float64Array(8)
    const look = (): boolean => {
      hot.poll(store, marks)
      if ((marks[level] as number) < seq) return false
      stop()
      resolve(marks)
      return true
    }
    const stop = onWake(look)
    const wanted = [0, 0, 0, 0]
    wanted[level] = seq
    const durable = hot.want(store, wanted[1] as number, wanted[2] as number, wanted[3] as number, 0, 0)
    if (durable === FAILED) {
      stop()
      reject(error())
    } else if (level < 3 && durable >= seq) {
      stop()
      hot.poll(store, marks)
      resolve(marks)
    }
  })
}
