// A set that is held. A forgotten guard costs others their time, but not the process its locks: it is released in the background. Most guards live for a moment, so
// only those that have lived longer are worth the price of being watched by the collector.
import { closed } from '../errors.ts'
import { warnForgotten } from '../internal/lease.ts'
import { setTimeout } from '../internal/platform.ts'
import type { LockGuard } from './locks.ts'

/** Holds the sets: the part of the client that a guard needs. */
export interface LockHolder {
  /** How long it has been held, in ms; negative when it is not held. */
  heldMs(token: number): number
  /** Returns whether it was held. */
  release(token: number): boolean
}

/** Guards of this thread that are not watched yet. */
const young: EmbeddedLockGuard[] = []
const MAX_YOUNG = 512
const YOUNG_MS = 50
let growsUp = false

/** A guard, by the token that native code gave. */
export class EmbeddedLockGuard implements LockGuard {
  readonly #holder: LockHolder
  /** 0 once it is released. */
  #token: number

  constructor(holder: LockHolder, token: number) {
    this.#holder = holder
    this.#token = token
    if (young.push(this) >= MAX_YOUNG) watchYoung()
    else if (!growsUp) growUpSoon()
  }

  get heldMs(): number {
    const ms = this.#token === 0 ? -1 : this.#holder.heldMs(this.#token)
    if (ms < 0) throw closed('lock guard')
    return ms
  }

  release(): void {
    const token = this.#token
    if (token === 0) return
    this.#token = 0
    this.#holder.release(token)
  }

  [Symbol.dispose](): void {
    this.release()
  }

  /** @internal */
  static watch(guard: EmbeddedLockGuard): void {
    if (guard.#token !== 0) forgotten.register(guard, { holder: guard.#holder, token: guard.#token })
  }
}

function growUpSoon(): void {
  setTimeout(() => {
    growsUp = false
    watchYoung()
  }, YOUNG_MS).unref()
  growsUp = true // not before the reset is certain
}

function watchYoung(): void {
  for (const guard of young) EmbeddedLockGuard.watch(guard)
  young.length = 0
}

/** A guard that was released in time also comes here, with a token that names nothing any more. */
const forgotten = new FinalizationRegistry<{ holder: LockHolder; token: number }>(({ holder, token }) => {
  if (holder.release(token)) warnForgotten('lock')
})
