// Publishes what native code does in one store to the listeners on this thread. Without listeners native code keeps nothing, and is not called.
import { nobodysContext } from '../../internal/context.ts'
import { queueMicrotask, wallClockMs } from '../../internal/platform.ts'
import type { Happenings } from '../../native/binding.ts'
import type { Environment } from '../../native/environment.ts'
import { commitGroups, flushes, fullDevices, isObserved } from './diagnostics.ts'

/** The observer of one store in one environment. */
export class Observer {
  readonly #environment: Environment
  readonly #path: string
  /** The handle by which native code is asked, while it observes. */
  #handle: number | undefined
  #lastGroup = 0
  #lastFlush = 0
  #noSpaceSince: number | undefined
  #wasRefused = false

  constructor(environment: Environment, path: string) {
    this.#environment = environment
    this.#path = path
  }

  /** Whether native code keeps what it does for {@link publish}. */
  get isActive(): boolean {
    return this.#handle !== undefined
  }

  /** Whether listeners have come or gone since the last look. */
  get isOutdated(): boolean {
    return isObserved() !== this.isActive
  }

  /** Begins or ends observing, depending on whether there are listeners. */
  update(handle: number): void {
    if (this.isActive) this.#observe(this.#handle as number, false)
    this.#handle = isObserved() ? handle : undefined
    if (this.#handle !== undefined) this.#observe(this.#handle, true)
  }

  /** A handle is about to be closed; `next` is another one. Publishes only once what both handles report. */
  handOn(closing: number, next: number): void {
    if (this.#handle !== closing) return
    this.#observe(next, true)
    this.#observe(closing, false)
    this.#handle = next
    this.publish(this.#take(closing))
  }

  /** Publishes what has happened since the last call. */
  drain(): void {
    if (this.#handle !== undefined) this.publish(this.#take(this.#handle))
  }

  /** In no caller's async context, as the work was done for many. */
  publish(happenings: Happenings): void {
    if (happenings.groups.length + happenings.flushes.length > 0) nobodysContext(() => this.#publish(happenings))
  }

  #publish({ groups, flushes: written }: Happenings): void {
    const path = this.#path
    for (const { seq, commits, bytes, flushMicros, durable, groups: count } of groups) {
      if (seq <= this.#lastGroup) continue
      this.#lastGroup = seq
      commitGroups.publish({ path, seq, commits, bytes, flushMicros, durable, groups: count })
    }
    for (const { seq, epoch, entries, bytes, durationMs, flushes: count } of written) {
      if (seq <= this.#lastFlush) continue
      this.#lastFlush = seq
      flushes.publish({ path, seq, epoch, entries, bytes, durationMs, flushes: count })
    }
  }

  /** Whether the device is full, as native code reports it. */
  space(isLacking: boolean): void {
    if (isLacking) this.#spaceIsLacking()
    else if (!this.#wasRefused) this.#spaceIsFound()
  }

  /** A write was refused for lack of space. */
  refused(): void {
    if (!fullDevices.hasSubscribers) return
    this.#wasRefused = true
    this.#spaceIsLacking()
  }

  /** A write was applied. */
  applied(): void {
    if (!this.#wasRefused) return
    this.#wasRefused = false
    this.#spaceIsFound()
  }

  #spaceIsLacking(): void {
    if (this.#noSpaceSince !== undefined) return
    this.#noSpaceSince = wallClockMs()
    this.#tellOfSpace({ path: this.#path, since: this.#noSpaceSince })
  }

  #spaceIsFound(): void {
    if (this.#noSpaceSince === undefined) return
    this.#tellOfSpace({ path: this.#path, since: this.#noSpaceSince, until: wallClockMs() })
    this.#noSpaceSince = undefined
  }

  /** Publishes later, as this may be in the middle of a write. */
  #tellOfSpace(message: { path: string; since: number; until?: number }): void {
    nobodysContext(() => queueMicrotask(() => fullDevices.publish(message)))
  }

  #observe(handle: number, isActive: boolean): void {
    this.#environment.call((cold) => cold.observe(handle, isActive))
  }

  #take(handle: number): Happenings {
    return this.#environment.call((cold) => cold.takeHappenings(handle))
  }
}
