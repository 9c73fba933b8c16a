// A write that has been applied, and waiting for its levels. Nothing waits before `wait` is called.
import { rankOf } from '../compare-durability.ts'
import type { AbortWatch } from '../internal/abort.ts'
import { throwIfAborted } from '../internal/platform.ts'
import type { Turns } from '../internal/turns.ts'
import type { Durability, EpochHandle, SignalOptions } from './coordinator-types.ts'
import type { Generation } from './generation.ts'
import { signalOf } from './plan.ts'

/** The levels that a write reaches after it is applied, as their ranks. */
export type FlushedRank = 1 | 2

/** Brings writes to their levels. */
export interface Coordinating {
  readonly turns: Turns
  readonly aborts: AbortWatch
  /** The level that `wait` waits for by default. */
  readonly defaultRank: 0 | FlushedRank
  /** Resolves when the generation has reached the level, and asks for the flush that this takes. `undefined`: it has. @throws `ERR_POISONED`, `ERR_TRANSACTION_OPEN` */
  reach(rank: FlushedRank, generation: Generation, epoch: number): Promise<void> | undefined
}

/** The handle that `write` gives. */
export class AppliedWrite<R> implements EpochHandle<R> {
  readonly epoch: number
  readonly result: R
  readonly #coordination: Coordinating
  readonly #generation: Generation

  constructor(coordination: Coordinating, generation: Generation, epoch: number, result: R) {
    this.epoch = epoch
    this.result = result
    this.#coordination = coordination
    this.#generation = generation
  }

  wait(level?: Durability, options?: SignalOptions): Promise<R> {
    const { turns, defaultRank } = this.#coordination
    try {
      const rank = level === undefined ? defaultRank : rankOf(level, 'level')
      const signal = signalOf(options)
      throwIfAborted(signal)
      const reached = rank === 0 ? undefined : this.#coordination.reach(rank, this.#generation, this.epoch)
      return reached === undefined ? turns.give(this.result) : this.#after(reached, signal)
    } catch (error) {
      return turns.refuse(error)
    }
  }

  async #after(reached: Promise<void>, signal: AbortSignal | undefined): Promise<R> {
    await (signal === undefined ? reached : this.#coordination.aborts.race(reached, signal))
    return this.result
  }
}
