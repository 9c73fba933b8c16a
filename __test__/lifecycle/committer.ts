// A worker thread that commits until it is done or terminated. Commit n of a writer appends the event { writer, n } and puts n under the
// writer's name: one without the other is a torn commit.
import { parentPort, workerData } from 'node:worker_threads'
import { type CommitInfo, type Durability, open } from 'ledgerstone'
import { Random } from '../support/random.ts'

export interface Happened {
  readonly writer: string
  readonly n: number
}
export interface Order {
  readonly path: string
  readonly writer: string
  readonly seed: number
  readonly commits: number
}
/** What a commit was promised when it resolved. */
export interface Acknowledged {
  readonly writer: string
  readonly n: number
  readonly seq: number
  readonly event: number
  readonly level: Durability
}

const LEVELS: readonly Durability[] = ['applied', 'written', 'durable']

const { path, writer, seed, commits } = workerData as Order
const random = new Random(seed)
const store = await open<Happened>(path)
parentPort?.postMessage('opened')
const waiting: Promise<void>[] = []
for (let n = 1; n <= commits; n++) {
  const level = random.pick(LEVELS)
  waiting.push(tell(n, level, commit(n, level)))
  if (random.oneIn(8)) await Promise.all(waiting.splice(0))
}
await Promise.all(waiting)
await store.close()
parentPort?.postMessage('done')

function commit(n: number, level: Durability): Promise<CommitInfo> {
  const kind = random.below(3)
  if (kind === 0) {
    return store.transact(
      (tx) => {
        linger()
        tx.put(store.state, writer, n)
        tx.append({ writer, n })
      },
      { durability: level },
    )
  }
  if (kind === 1) return store.apply((tx) => [tx.append({ writer, n }), tx.put(store.state, writer, n)].length).wait(level)
  const tx = store.writeTxn()
  tx.append({ writer, n })
  linger()
  tx.put(store.state, writer, n)
  return tx.commit().wait(level)
}

/** Some transactions last, so that some terminations find one open. */
function linger(): void {
  if (!random.oneIn(30)) return
  const until = performance.now() + random.below(3)
  while (performance.now() < until) store.state.get(writer)
}

async function tell(n: number, level: Durability, committed: Promise<CommitInfo>): Promise<void> {
  const { seq, firstEventId } = await committed
  const acknowledged: Acknowledged = { writer, n, seq, event: firstEventId as number, level }
  parentPort?.postMessage(acknowledged)
}
