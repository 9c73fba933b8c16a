// Takes the time of one round, and counts what became durable in it: flushes as the store counts them, and as the device does.
import { deviceFlushes } from './device.ts'
import type { Measured } from './workload.ts'

export class Meter {
  readonly #folder: string
  readonly #storeFlushes: () => number | undefined

  constructor(folder: string, storeFlushes: () => number | undefined) {
    this.#folder = folder
    this.#storeFlushes = storeFlushes
  }

  /**
   * Runs `step` until the time is up, after half of it for warming up: code is compiled, files and memory reach their size. `finish` is part of the
   * work, and brings the warming up to its end too.
   */
  async timed(ms: number, step: () => unknown, operationsPerStep = 1, finish?: () => unknown): Promise<Measured> {
    await until(performance.now() + ms / 2, step)
    await finish?.()
    return this.#measured(operationsPerStep, async () => {
      const steps = await until(performance.now() + ms, step)
      await finish?.()
      return steps
    })
  }

  /** A piece of work that ends by itself: `steps` steps, however long they take. */
  once(steps: number, operationsPerStep: number, work: () => unknown): Promise<Measured> {
    return this.#measured(operationsPerStep, async () => {
      await work()
      return steps
    })
  }

  async #measured(operationsPerStep: number, work: () => Promise<number>): Promise<Measured> {
    const before = { store: this.#storeFlushes(), device: deviceFlushes(this.#folder) }
    const started = performance.now()
    const steps = await work()
    const ms = performance.now() - started
    const after = { store: this.#storeFlushes(), device: deviceFlushes(this.#folder) }
    const flushes = { ...perStep('store', before.store, after.store, steps), ...perStep('device', before.device, after.device, steps) }
    return { operations: steps * operationsPerStep, ms, flushes }
  }
}

function perStep(who: string, before: number | undefined, after: number | undefined, steps: number): Record<string, number> {
  return before === undefined || after === undefined ? {} : { [who]: (after - before) / steps }
}

async function until(end: number, step: () => unknown): Promise<number> {
  let steps = 0
  while (performance.now() < end) {
    const pending = step()
    if (pending instanceof Promise) await pending
    steps++
  }
  return steps
}
