// A worker that takes the gate and keeps it until `held` is 2.
import { workerData } from 'node:worker_threads'
import { open } from '../../src/index.ts'

const { path, held } = workerData as { path: string; held: Int32Array }
const store = await open(path)
store.apply((tx) => {
  tx.get(store.state, 'a')
  Atomics.store(held, 0, 1)
  while (Atomics.load(held, 0) !== 2) Atomics.wait(held, 0, 1)
  tx.put(store.state, 'held', true)
})
await store.close()
