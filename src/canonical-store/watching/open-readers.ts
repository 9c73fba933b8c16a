// The open snapshots and iterations of one handle, and the warning about those that stay open for long: each keeps LMDB from reusing pages, and flushed memory
// alive. One timer at most, only while something is open; it keeps no process alive.
import { nobodysContext } from '../../internal/context.ts'
import type { Lease } from '../../internal/lease.ts'
import { performance, setTimeout } from '../../internal/platform.ts'

/** Time; replaced in tests. */
export interface Clock {
  now(): number
  setTimeout(task: () => void, ms: number): NodeJS.Timeout
}

/** The leases of a handle's snapshots and iterations. */
export class OpenReaders extends Set<Lease> {
  readonly #path: string
  readonly #warnAfterMs: number
  readonly #clock: Clock
  readonly #warned = new WeakSet<Lease>()
  #timer: NodeJS.Timeout | undefined

  constructor(path: string, warnAfterMs: number, clock: Clock = { now: performance.now, setTimeout }) {
    super()
    this.#path = path
    this.#warnAfterMs = warnAfterMs
    this.#clock = clock
  }

  override add(lease: Lease): this {
    if (this.#timer === undefined) this.#wakeIn(this.#warnAfterMs)
    return super.add(lease)
  }

  #wakeIn(ms: number): void {
    // In no caller's async context: the warning concerns the process.
    this.#timer = nobodysContext(() => this.#clock.setTimeout(() => this.#look(), Math.max(1, Math.ceil(ms))))
    this.#timer.unref()
  }

  /** Warns about those that have reached the age since the last look, and sets the timer for the next one. */
  #look(): void {
    this.#timer = undefined
    const nowMs = this.#clock.now()
    const fresh: Lease[] = []
    let nextMs = Infinity
    for (const lease of this) {
      if (this.#warned.has(lease)) continue
      const leftMs = lease.sinceMs + this.#warnAfterMs - nowMs
      if (leftMs <= 0) fresh.push(lease)
      else nextMs = Math.min(nextMs, leftMs)
    }
    if (fresh.length > 0) this.#warn(fresh, nowMs)
    if (nextMs !== Infinity) this.#wakeIn(nextMs)
  }

  #warn(fresh: readonly Lease[], nowMs: number): void {
    for (const lease of fresh) this.#warned.add(lease)
    const snapshots = fresh.filter(({ kind }) => kind === 'snapshot').length
    const oldestMs = Math.round(nowMs - Math.min(...fresh.map(({ sinceMs }) => sinceMs)))
    const message = `a reader has been open for more than ${this.#warnAfterMs} ms and holds on to memory and disk space; release the snapshot, or end the loop`
    process.emitWarning(`${message}: path=${this.#path} snapshots=${snapshots} iterations=${fresh.length - snapshots} oldestMs=${oldestMs}`, {
      type: 'LedgerstoneWarning',
      code: 'LEDGERSTONE_LONG_READER',
    })
  }
}
