// Names of locks that do not share a stripe: by chance any two may, and a test that is about two locks must not meet with one.
import type { LockManager } from '../../src/lock-manager/index.ts'

/** `count` names, each of them a separate lock; nothing may be held. */
export function distinctNames(locks: LockManager, count: number): [string, ...string[]] {
  const guards = []
  const names: string[] = []
  for (let n = 0; names.length < count; n++) {
    const guard = locks.tryAcquire({ write: [`name ${n}`] })
    if (guard === undefined) continue
    guards.push(guard)
    names.push(`name ${n}`)
  }
  for (const guard of guards) guard.release()
  return names as [string, ...string[]]
}
