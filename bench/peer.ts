// What a store must be able to do to take part, and the data that all of them get: the same bytes in the same order.
import type { Durability } from './durability.ts'

const KEY_BYTES = 16
export const VALUE_BYTES = 100
export const EVENT_BYTES = 200

/** One contestant, opened on a separate folder. A method that is missing is a discipline in which it does not compete. */
export interface Peer {
  /** What a commit of this contestant has survived when it is back. */
  readonly durability: Durability
  /** One transaction: a put and an event. */
  commit?(key: Buffer, value: Buffer, event: Buffer): unknown
  /** One transaction of many puts. */
  putMany?(keys: readonly Buffer[], value: Buffer): unknown
  /** One transaction of many events. */
  appendEvents?(events: readonly Buffer[]): unknown
  /** Puts everything, as fast as it likes, and has it where it reads from later. */
  fill?(keys: readonly Buffer[], value: Buffer): unknown
  fillEvents?(count: number, event: Buffer): unknown
  /** Everything so far is with the operating system (written), or where it is read from later and on the device (flushed). */
  drain?(level: 'written' | 'flushed'): unknown
  /** The value's length; 0 when it is missing. */
  get?(key: Buffer): number
  /** The length of all values together. */
  getMany?(keys: readonly Buffer[]): number | Promise<number>
  has?(key: Buffer): boolean
  /** Visits all entries in order; how many there were. */
  range?(): number | Promise<number>
  /** Visits all events in order as bytes; how many there were. */
  iterateEvents?(): number | Promise<number>
  /** The length of an event; 0 when it is missing. */
  event?(id: number): number
  /** Takes two locks; what comes back gives them up again. */
  lockPair?(first: string, second: string): Promise<() => void>
  /** Flushes of the device so far, where the contestant counts them itself. */
  flushes?(): number
  close(): unknown
}

/** A seeded generator (xorshift128): every contestant and every round sees the same keys. */
export class Random {
  #a = 0x9e3779b9
  #b = 0x243f6a88
  #c = 0xb7e15162
  #d: number

  constructor(seed: number) {
    this.#d = seed | 0
    for (let i = 0; i < 16; i++) this.next()
  }

  /** 0 to 2^32-1. */
  next(): number {
    const t = this.#a ^ (this.#a << 11)
    this.#a = this.#b
    this.#b = this.#c
    this.#c = this.#d
    this.#d = this.#d ^ (this.#d >>> 19) ^ t ^ (t >>> 8)
    return this.#d >>> 0
  }

  below(limit: number): number {
    return this.next() % limit
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length)
    for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32LE(this.next(), at)
    return bytes
  }
}

/** An event as an application would write it: about as long in JSON as the byte events are. */
export interface SampleEvent {
  readonly type: string
  readonly transfer: number
  readonly from: string
  readonly to: string
  readonly amount: { readonly cents: number; readonly currency: string }
  readonly at: string
  readonly tags: readonly string[]
  readonly isReversal: boolean
}

export function sampleEvent(n: number): SampleEvent {
  return {
    type: 'transfer-recorded',
    transfer: n,
    from: `account-${String(n % 9973).padStart(6, '0')}`,
    to: `account-${String((n * 7) % 9973).padStart(6, '0')}`,
    amount: { cents: (n * 31) % 1_000_000, currency: 'EUR' },
    at: '2026-01-31T12:00:00.000Z',
    tags: ['standing order', 'month end'],
    isReversal: n % 100 === 0,
  }
}

/** A value as an application would write it: about 100 bytes in JSON. */
export interface SampleAccount {
  readonly owner: string
  readonly cents: number
  readonly currency: string
  readonly openedAt: string
  readonly isOpen: boolean
}

export function sampleAccount(n: number): SampleAccount {
  return {
    owner: `account-${String(n % 1_000_000).padStart(6, '0')}`,
    cents: (n * 31) % 1_000_000,
    currency: 'EUR',
    openedAt: '2026-01-31T12:00:00.000Z',
    isOpen: n % 100 !== 0,
  }
}

export function keysFor(count: number): Buffer[] {
  const random = new Random(1)
  return Array.from({ length: count }, () => random.bytes(KEY_BYTES))
}
