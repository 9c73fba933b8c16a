// Readers beside the writers: a snapshot is what the events up to its end make, a range and an iteration of events are of one moment however slowly
// they are read, and no transfer between accounts is ever seen by half.
import { setImmediate as breathe } from 'node:timers/promises'
import type { Random } from '../support/random.ts'
import { report } from '../support/report.ts'
import { Fold } from './fold.ts'
import { balancesOf, COLLECTIONS, type Store } from './workload.ts'

const PAUSE_EVERY = 16

/** Reads until told to stop; reports each reading that was right, and the first that was not. */
export class Readings {
  readonly #store: Store
  readonly #random: Random
  readonly #fold = new Fold()
  #stopped = false

  constructor(store: Store, random: Random) {
    this.#store = store
    this.#random = random
  }

  stop(): void {
    this.#stopped = true
  }

  async read(): Promise<void> {
    const kinds = [() => this.#snapshot(), () => this.#range(), () => this.#events()]
    try {
      while (!this.#stopped) {
        await this.#random.pick(kinds)()
        report('reading')
        await breathe()
      }
    } catch (error) {
      report(`wrong ${(error as Error).message}`)
      throw error
    }
  }

  async #snapshot(): Promise<void> {
    const snapshot = this.#store.snapshot()
    try {
      const missing = snapshot.events({ after: this.#fold.events })
      for (const record of missing) this.#fold.take(record)
      if (snapshot.nextEventId !== this.#fold.events + 1) throw new Error(`a snapshot with ${this.#fold.events} events has the next id ${snapshot.nextEventId}`)
      const names = [this.#random.pick(COLLECTIONS)]
      this.#fold.check(this.#store, snapshot, names)
      await breathe()
      this.#fold.check(this.#store, snapshot, names) // others have gone on, it has not
    } finally {
      snapshot.release()
    }
  }

  async #range(): Promise<void> {
    let sum = 0
    let count = 0
    for (const [, balance] of balancesOf(this.#store).range({ reverse: this.#random.oneIn(2) })) {
      sum += balance
      if (++count % PAUSE_EVERY === 0) await breathe()
    }
    if (sum !== 0) throw new Error(`${count} accounts have ${sum} together`)
  }

  async #events(): Promise<void> {
    const end = this.#store.nextEventId
    const ids: number[] = []
    for (const { id } of this.#store.events({ from: Math.max(1, end - 200) })) {
      ids.push(id)
      if (ids.length % PAUSE_EVERY === 0) await breathe()
    }
    ids.forEach((id, i) => {
      if (id !== (ids[0] as number) + i) throw new Error(`event ${id} follows ${ids[i - 1]}`)
    })
    if (end > 1 && (ids.at(-1) ?? 0) < end - 1) throw new Error(`events end with ${ids.at(-1)}, event ${end - 1} was there before`)
  }
}
