// The public surface of `ledgerstone/locks`. The errors are those of `ledgerstone`: their classes exist once.
/// <reference types="node" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />
export { LockManager } from './lock-manager.ts'

export type { LockGuard, LockKey, LockManagerOptions, LockOptions, LockSet, LockStats } from './locks.ts'
