// A write that has been applied, and the waiting for it. Nothing waits until somebody asks.
import { rankOf } from '../durability.ts'
import type { Coordination, FlushedRank } from './coordination.ts'
import type { CoordinatorTypes, Durability, EpochHandle, SignalOptions } from './coordinator-types.ts'
import type { Generation } from './generation.ts'
import { throwIfAborted } from '../internal/platform.ts'
import { signalOf } from './plan.ts'

/** The handle that `write` gives. */
export class AppliedWrite<T extends CoordinatorTypes> implements EpochHandle<T['ApplyResult']> {
  readonly epoch: number
  readonly result: T['ApplyResult']
  readonly #coordination: Coordination<T>
  readonly #generation: Generation

  constructor(coordination: Coordination<T>, generation: Generation, epoch: number, result: T['ApplyResult']) {
    this.epoch = epoch
    this.result = result
    this.#coordination = coordination
    this.#generation = generation
  }

  wait(level?: Durability, options?: SignalOptions): Promise<T['ApplyResult']> {
    const { turns, defaultRank } = this.#coordination
    try {
      const rank = level === undefined ? defaultRank : rankOf(level, 'level')
      const signal = signalOf(options)
      throwIfAborted(signal)
      const reached = rank === 0 ? undefined : this.#coordination.reach(rank satisfies FlushedRank, this.#generation, this.epoch)
      return reached === undefined ? turns.give(this.result) : this.#after(reached, signal)
    } catch (error) {
      return turns.refuse(error)
    }
  }

  async #after(reached: Promise<void>, signal: AbortSignal | undefined): Promise<T['ApplyResult']> {
    await (signal === undefined ? reached : this.#coordination.aborts.race(reached, signal))
    return this.result
  }
}
