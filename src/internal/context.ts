// The async context (AsyncLocalStorage) for functions that are kept. The code that calls a kept function later runs in another context: another request, another
// tenant. Only functions that are kept pay for this.
import { AsyncLocalStorage } from 'node:async_hooks'

/** Runs functions in one context. */
export type Context = <R>(fn: () => R) => R

/** The context of the running call, for a function that is kept. */
export function currentContext(): Context {
  return AsyncLocalStorage.snapshot()
}

/** The context in which this package was loaded: for what concerns the process and no caller, such as warnings and diagnostics channels. */
export const nobodysContext: Context = AsyncLocalStorage.snapshot()

const calls = new AsyncLocalStorage<OngoingCall>()

/** A call of a function, with all that it awaits until it is over. Code that is called from inside can recognise it. Made and run once. */
export class OngoingCall {
  readonly #owner: object
  readonly #outer: OngoingCall | undefined = calls.getStore()
  #isOver = false

  constructor(owner: object) {
    this.#owner = owner
  }

  /** Whether the running code is inside a call of this owner that is not over. */
  static isInside(owner: object): boolean {
    for (let call = calls.getStore(); call !== undefined; call = call.#outer) if (call.#owner === owner && !call.#isOver) return true
    return false
  }

  run<R>(fn: () => R): R {
    return calls.run(this, fn)
  }

  end(): void {
    this.#isOver = true
  }
}
