// A commit that is applied, and waiting for its levels. Nothing waits before `wait` is called.
import { rankOf } from '../../compare-durability.ts'
import type { Durability } from '../../durability.ts'
import type { CommitInfo, WriteHandle } from '../api/commit.ts'
import type { SharedStore } from '../shared-store.ts'

/** The result of `apply`. */
export class EmbeddedWriteHandle<T> implements WriteHandle<T> {
  readonly result: T
  readonly commit: CommitInfo
  readonly #shared: SharedStore
  readonly #rank: 0 | 1 | 2

  /** `rank`: the level that is waited for by default. */
  constructor(result: T, commit: CommitInfo, shared: SharedStore, rank: 0 | 1 | 2) {
    this.result = result
    this.commit = commit
    this.#shared = shared
    this.#rank = rank
  }

  async wait(level?: Durability): Promise<CommitInfo> {
    const rank = level === undefined ? this.#rank : rankOf(level, 'level')
    const reached = this.#shared.reached(rank, this.commit.seq)
    if (reached !== undefined) this.#shared.confirm(rank, this.commit.seq, await reached)
    return this.commit
  }
}
