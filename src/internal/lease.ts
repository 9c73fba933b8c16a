// A resource that native code keeps for a JavaScript object, and how it is given back when the object is forgotten. A lease is closed once: by its holder, by
// the end of its owner or, when the holder was garbage-collected, in the background with one warning per kind.
import { nobodysContext } from './context.ts'
import { performance } from './platform.ts'

/** What a forgotten lease was for, in the words of the warning. */
export type LeaseKind = 'store' | 'snapshot' | 'range' | 'lock' | 'log' | 'snapshot set' | 'segments' | 'pause'

const REMEDY: Record<LeaseKind, string> = {
  store: 'close()',
  snapshot: 'release()',
  range: 'return() of its iterator',
  lock: 'release()',
  log: 'close()',
  'snapshot set': 'close()',
  segments: 'release()',
  pause: 'release()',
}
const warned = new Set<LeaseKind>()

/** A native resource that is open until it is closed. */
export class Lease {
  readonly id: number
  readonly kind: LeaseKind
  /** On the clock of `performance.now()`. */
  readonly sinceMs: number = performance.now()
  readonly #owner: Set<Lease> | undefined
  #close: ((id: number) => void) | undefined

  /** The lease ends when `holder` is garbage-collected; `owner` lists the leases that end with something larger. */
  constructor(kind: LeaseKind, id: number, holder: object, owner: Set<Lease> | undefined, close: (id: number) => void) {
    this.id = id
    this.kind = kind
    this.#owner = owner
    this.#close = close
    owner?.add(this)
    forgotten.register(holder, this, this)
  }

  get open(): boolean {
    return this.#close !== undefined
  }

  /** Gives the resource back; harmless the second time. */
  close(): void {
    const close = this.#close
    if (close === undefined) return
    this.settle()
    close(this.id)
  }

  /** Marks it closed without a call: native code has closed it already. */
  settle(): void {
    this.#close = undefined
    this.#owner?.delete(this)
    forgotten.unregister(this)
  }

  /** The holder is gone. */
  abandon(): void {
    if (!this.open) return
    this.close()
    warnForgotten(this.kind)
  }
}

/** A lease of this kind was forgotten and has been released: warns once for each kind. */
export function warnForgotten(kind: LeaseKind): void {
  if (warned.has(kind)) return
  warned.add(kind)
  nobodysContext(() =>
    process.emitWarning(`a ${kind} was garbage-collected without ${REMEDY[kind]}; it has been released in the background`, {
      type: 'LedgerstoneWarning',
      code: 'LEDGERSTONE_UNRELEASED',
    }),
  )
}

const forgotten = new FinalizationRegistry<Lease>((lease) => lease.abandon())
