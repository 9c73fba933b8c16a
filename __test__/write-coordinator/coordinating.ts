// A coordinator of numbers on the real clock, whose flusher does what a test hands it.
import type { Deferred } from '../../src/internal/deferred.ts'
import type { CoordinatorOptions, Flusher } from '../../src/write-coordinator/coordinator-types.ts'
import { listDelta, type ListDeltaTypes, WriteCoordinator } from '../../src/write-coordinator/index.ts'

export interface Numbers extends ListDeltaTypes<number> {
  Snapshot: readonly number[]
}

/** Stores in memory; each method can be replaced. */
export class MemoryFlusher implements Flusher<Numbers> {
  stored: readonly number[] = []
  synced = 0
  flushes = 0
  storageFlushes = 0
  /** What a flush of a delta waits for, if anything. */
  gate: Deferred<void> | undefined
  readonly #replaced: Partial<Flusher<Numbers>>

  constructor(replaced: Partial<Flusher<Numbers>> = {}) {
    this.#replaced = replaced
  }

  async flushDelta(...args: Parameters<Flusher<Numbers>['flushDelta']>): Promise<readonly number[]> {
    this.flushes++
    if (this.#replaced.flushDelta !== undefined) return this.#replaced.flushDelta(...args)
    await this.gate?.promise
    this.stored = [...this.stored, ...args[0]]
    return this.stored
  }

  async flushStorage(...args: Parameters<Flusher<Numbers>['flushStorage']>): Promise<void> {
    this.storageFlushes++
    const { length } = this.stored
    await this.#replaced.flushStorage?.(...args)
    this.synced = length
  }
}

/** Eight bytes a number, and as many for its place in the list. */
export function numbers(flusher: Flusher<Numbers>, options: Partial<CoordinatorOptions<Numbers>> = {}): WriteCoordinator<Numbers> {
  return new WriteCoordinator<Numbers>({ init: listDelta<number>({ sizeOf: () => 8 }), context: undefined, snapshot: [], flusher, ...options })
}

/** All that a view shows, oldest first. */
export function shown(coordinator: WriteCoordinator<Numbers>): number[] {
  const { current, frozen, snapshot } = coordinator.view()
  return [...snapshot, ...frozen.toReversed().flatMap(({ value }) => value), ...current]
}
