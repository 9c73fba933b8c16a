// One open event log without its public face: what the log and its iterators share. When none of them is left, it is closed in the background.
import { closed, type LedgerstoneError } from '../errors.ts'
import { Lease } from '../internal/lease.ts'
import type { ColdCalls } from '../native/binding.ts'
import type { Environment } from '../native/environment.ts'

/** An open log as native code knows it. */
export class LogHandle {
  readonly environment: Environment
  readonly id: number
  readonly maxEventBytes: number
  readonly #lease: Lease
  readonly #ends = new Float64Array(2)
  #closing: Promise<void> | undefined

  constructor(environment: Environment, id: number, maxEventBytes: number) {
    this.environment = environment
    this.id = id
    this.maxEventBytes = maxEventBytes
    this.#lease = leaseOf(this, environment, id)
  }

  /** @throws `ERR_CLOSED` */
  check(): void {
    if (this.#closing !== undefined) throw closed('event log')
  }

  /** The oldest event's id and the next one's; the array is used again. */
  ends(): Float64Array {
    this.check()
    this.answer(this.environment.hot.logEnds(this.id, this.#ends))
    return this.#ends
  }

  /** @throws the error of the last hot call, if `number` says that it failed */
  answer(number: number): void {
    if (number < 0) throw this.error()
  }

  error(): LedgerstoneError {
    return this.environment.error()
  }

  /** Makes a cold call while the log is open. */
  call<T>(make: (cold: ColdCalls) => T): T {
    this.check()
    return this.environment.call(make)
  }

  /** Makes a cold call that answers later, while the log is open. */
  async callAsync<T>(make: (cold: ColdCalls) => Promise<T>): Promise<T> {
    this.check()
    return this.environment.callAsync(make)
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#lease.settle()
      this.#closing = this.environment.callAsync((cold) => cold.closeEventLog(this.id))
    }
    return this.#closing
  }
}

/** A separate function: the lease must not keep alive the handle whose end it waits for. */
function leaseOf(holder: LogHandle, environment: Environment, log: number): Lease {
  return new Lease('log', log, holder, undefined, (id) => {
    environment.cold.closeEventLog(id).catch(() => {}) // nobody is left to hear of it
  })
}
