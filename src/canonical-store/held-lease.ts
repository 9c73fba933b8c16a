// What native code keeps for one handle of a store until it is released, and releases by itself when the handle closes: pauses and segments.
import { Lease, type LeaseKind } from '../internal/lease.ts'
import type { ColdCalls } from '../native/binding.ts'
import type { StoreHandle } from './store-handle.ts'

/** A lease that ends with `handle`. `release` is called unless it has ended that way; it must not refer to `holder`, whose end it waits for. */
export function heldLease(kind: LeaseKind, id: number, holder: object, handle: StoreHandle, release: (cold: ColdCalls, store: number, id: number) => void): Lease {
  const lease = new Lease(kind, id, holder, undefined, (number) => {
    forget()
    handle.environment.call((cold) => release(cold, handle.id, number))
  })
  const forget = handle.listen(() => lease.settle())
  return lease
}
