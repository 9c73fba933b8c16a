// A delta and a flusher by script: what they do, and when they answer, is the test's choice.
import type { CoordinatorTypes, Delta, EpochRange, Flusher } from '../../src/write-coordinator/coordinator-types.ts'

export interface Item {
  readonly id: number
  readonly bytes: number
  readonly isBad?: boolean
}

/** Everything is a list of writes: so it shows which of them is where. */
export interface Listed extends CoordinatorTypes {
  Context: number
  Write: Item
  ApplyResult: string
  Frozen: readonly number[]
  FrozenView: readonly number[]
  DeltaView: readonly number[]
  Snapshot: readonly number[]
}

/** What a delta is to do wrong, once. */
export interface Faults {
  freeze?: unknown
  init?: unknown
  reader?: unknown
  estimateSize?: unknown
}

export const BAD = new Error('a bad write')

export class ScriptedDelta implements Delta<Listed> {
  readonly #number: number
  readonly #faults: Faults
  readonly #ids: number[] = []
  readonly #entered: (what: string) => void
  #bytes = 0
  #isFrozen = false

  constructor(number: number, faults: Faults, entered: (what: string) => void) {
    this.#number = number
    this.#faults = faults
    this.#entered = entered
  }

  apply({ id, bytes, isBad }: Item): string {
    this.#entered('apply')
    if (this.#isFrozen) throw new Error('applied to a frozen delta')
    if (isBad === true) throw BAD
    this.#ids.push(id)
    this.#bytes += bytes
    return `result ${id}`
  }

  estimateSize(): number {
    this.#entered('estimateSize')
    return strike(this.#faults, 'estimateSize') ?? this.#bytes
  }

  freeze(): { frozen: readonly number[]; view: readonly number[]; context: number } {
    this.#entered('freeze')
    if (this.#isFrozen) throw new Error('frozen twice')
    const garbage = strike(this.#faults, 'freeze')
    if (garbage !== undefined) return garbage
    this.#isFrozen = true
    return { frozen: [...this.#ids], view: [...this.#ids], context: this.#number + 1 }
  }

  reader(): readonly number[] {
    this.#entered('reader')
    strike(this.#faults, 'reader')
    return this.#ids
  }
}

/** An error is thrown, anything else is given instead of what is right. */
export function strike(faults: Faults, what: keyof Faults): never | undefined {
  const fault = faults[what]
  if (fault === undefined) return undefined
  delete faults[what]
  if (fault instanceof Error) throw fault
  return fault as never
}

export interface Call {
  readonly kind: 'delta' | 'storage'
  readonly frozen: readonly number[]
  readonly epochs: EpochRange | undefined
  readonly signal: AbortSignal
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Keeps each call until the test answers it, and what has been stored. */
export class ScriptedFlusher implements Flusher<Listed> {
  readonly stored: number[] = []
  /** How much of it is on the device. */
  synced = 0
  readonly pending: Call[] = []
  calls = 0
  /** The next call throws this instead of giving a promise. */
  throwsNext: unknown
  /** The last call failed with an error that allows another try. */
  isRetried = false
  readonly batches: EpochRange[] = []
  readonly #entered: (what: string) => void

  constructor(entered: (what: string) => void) {
    this.#entered = entered
  }

  flushDelta(frozen: readonly number[], epochs: EpochRange, { signal }: { signal: AbortSignal }): Promise<readonly number[]> {
    return this.#call('delta', frozen, epochs, signal, () => {
      this.stored.push(...frozen)
      this.batches.push(epochs)
      return [...this.stored]
    })
  }

  flushStorage({ signal }: { signal: AbortSignal }): Promise<void> {
    const end = this.stored.length
    return this.#call('storage', [], undefined, signal, () => void (this.synced = end))
  }

  /** Answers the oldest call. */
  answer(error?: unknown): Call | undefined {
    const call = this.pending.shift()
    if (call === undefined) return undefined
    this.isRetried = isAgain(error)
    if (error === undefined) call.resolve()
    else call.reject(error)
    return call
  }

  #call<R>(kind: 'delta' | 'storage', frozen: readonly number[], epochs: EpochRange | undefined, signal: AbortSignal, done: () => R): Promise<R> {
    this.calls++
    this.isRetried = isAgain(this.throwsNext)
    this.#entered(kind)
    if (this.throwsNext !== undefined) {
      const error = this.throwsNext
      this.throwsNext = undefined
      throw error
    }
    return new Promise((resolve, reject) => {
      this.pending.push({ kind, frozen, epochs, signal, resolve: () => resolve(done()), reject })
    })
  }
}

function isAgain(error: unknown): boolean {
  return (error as { retryable?: boolean } | undefined)?.retryable === true
}

/** An error that allows another try. */
export const again = (): Error => Object.assign(new Error('try again'), { retryable: true })
