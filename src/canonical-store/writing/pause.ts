// `pauseIngestion()`: writers are kept out at once; then it waits for open transactions and for the device. A call that fails leaves no pause.
import { closed, errorOf } from '../../errors.ts'
import { Deferred } from '../../internal/deferred.ts'
import type { Lease } from '../../internal/lease.ts'
import { clearTimeout, MAX_TIMER_MS, performance, setTimeout, throwIfAborted } from '../../internal/platform.ts'
import { checkInteger, checkOptions, checkSignal } from '../../internal/validate.ts'
import type { Pause, PauseOptions } from '../api/pause.ts'
import { heldLease } from '../held-lease.ts'
import type { StoreHandle } from '../store-handle.ts'
import { DURABLE } from '../watching/waiters.ts'

const OPTIONS: ReadonlySet<string> = new Set(['timeoutMs', 'signal'])
const TIMEOUT_MS = 30_000

/** Pauses the store of a handle. */
export async function pause(handle: StoreHandle, options: PauseOptions | undefined): Promise<Pause> {
  checkOptions(options, OPTIONS, 'options')
  const { timeoutMs = TIMEOUT_MS, signal } = options ?? {}
  checkInteger(timeoutMs, 0, 'timeoutMs')
  checkSignal(signal, 'signal')
  handle.checkWhole()
  throwIfAborted(signal)
  const { environment } = handle
  const held = new HeldPause(
    handle,
    environment.call((cold) => cold.pauseStore(handle.id)),
  )
  const ending = new Deferred<never>()
  const begun = performance.now()
  const timedOut = (): Error => {
    const waitedMs = Math.round(performance.now() - begun)
    return errorOf('ERR_TIMEOUT', `ingestion was not paused in time: waitedMs=${waitedMs}`, { waitedMs })
  }
  const timer = setTimeout(() => ending.reject(timedOut()), Math.min(timeoutMs, MAX_TIMER_MS))
  const forget = handle.listen(() => ending.reject(closed('store')), signal, ending.reject)
  try {
    if (!(await Promise.race([reach(handle, held, timeoutMs), ending.promise]))) throw timedOut()
    return held
  } catch (error) {
    held.release()
    throw error
  } finally {
    clearTimeout(timer)
    forget()
  }
}

/** Waits until no transaction is open and everything that was applied is durable; false when the pause ends earlier. */
async function reach(handle: StoreHandle, { number }: HeldPause, timeoutMs: number): Promise<boolean> {
  const { environment, shared } = handle
  // Needs no deadline: that ends this wait by ending the pause.
  const isIdle = await environment.callAsync((cold) => cold.waitIdle(handle.id, number, Math.min(timeoutMs, MAX_TIMER_MS) + 1000))
  if (!isIdle) return false
  const seq = shared.applied
  const reached = shared.reached(DURABLE, seq)
  if (reached !== undefined) shared.confirm(DURABLE, seq, await reached)
  return true
}

class HeldPause implements Pause {
  readonly #lease: Lease

  constructor(handle: StoreHandle, number: number) {
    this.#lease = heldLease('pause', number, this, handle, (cold, store, id) => cold.resumeStore(store, id))
  }

  get number(): number {
    return this.#lease.id
  }

  release(): void {
    this.#lease.close()
  }

  [Symbol.dispose](): void {
    this.release()
  }
}
