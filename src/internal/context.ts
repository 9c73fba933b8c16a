// The async context (AsyncLocalStorage) in which functions run that are kept. Whoever happens to call a kept function later is somebody else: another
// request, another tenant. Only what is kept pays for this.
import { AsyncLocalStorage } from 'node:async_hooks'

/** Runs functions in a context. */
export type Context = <R>(fn: () => R) => R

/** The context of the running call, for a function that is kept. */
export function currentContext(): Context {
  return AsyncLocalStorage.snapshot()
}

/** The context in which this package was loaded: of what is told to the process and is no caller's, as warnings and diagnostics channels. */
export const nobodysContext: Context = AsyncLocalStorage.snapshot()
