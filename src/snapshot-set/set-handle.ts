// One open snapshot set without its public face: its calls, one after another, and its end. When it is unreachable, it is closed in the background.
import type { ColdCalls } from '../native/binding.ts'
import type { Environment } from '../native/environment.ts'
import { closed } from '../errors.ts'
import { Lease } from '../internal/lease.ts'

/** An open set as native code knows it. */
export class SetHandle {
  readonly environment: Environment
  readonly id: number
  readonly #lease: Lease
  /** Settles when all calls so far have. A call occupies a thread only while it works. */
  #last: Promise<unknown> = Promise.resolve()
  #closing: Promise<void> | undefined

  constructor(environment: Environment, id: number) {
    this.environment = environment
    this.id = id
    this.#lease = leaseOf(this, environment, id)
  }

  /** @throws `ERR_CLOSED` */
  check(): void {
    if (this.#closing !== undefined) throw closed('snapshot set')
  }

  /** Makes a call that answers at once, while the set is open. */
  call<T>(make: (cold: ColdCalls) => T): T {
    this.check()
    return this.environment.call(make)
  }

  /** Makes a call that changes the set, after the earlier ones. */
  async change<T>(make: (cold: ColdCalls) => Promise<T>): Promise<T> {
    this.check()
    const done = this.#last.then(() => {
      this.check()
      return this.environment.callAsync(make)
    })
    this.#last = done.catch(() => {}) // the caller gets the error
    return done
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#lease.settle()
      this.#closing = this.environment.callAsync((cold) => cold.closeSnapshotSet(this.id))
    }
    return this.#closing
  }
}

/** A separate function: the lease must not keep alive the handle whose end it waits for. */
function leaseOf(holder: SetHandle, environment: Environment, set: number): Lease {
  return new Lease('snapshot set', set, holder, undefined, (id) => {
    environment.cold.closeSnapshotSet(id).catch(() => {}) // nobody is left to hear of it
  })
}
