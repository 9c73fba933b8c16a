// The tasks of a worker of the tests, by name. Each runs in a separate environment, with separate hot calls.
import { parentPort, workerData } from 'node:worker_threads'
import { FAILED, OPTIONS, bounds, cold, commit, error, getText, hot, onWake, reached, writeSet } from './raw.ts'

export interface Task {
  name: keyof typeof tasks
  path: string
}
export interface Word {
  name: string
  [field: string]: unknown
}

const { name, path } = workerData as Task
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
const tell = (word: Word): void => parentPort?.postMessage(word)

async function open(): Promise<number> {
  const opened = await cold.openStore(path, OPTIONS)
  cold.collectionSlot(opened.store, 'things', 'utf8', 'binary')
  tell({ name: 'open', storeKey: opened.storeKey })
  return opened.store
}

const tasks = {
  /** Commits once and has it durable. */
  async once(): Promise<void> {
    const store = await open()
    const { seq } = commit(store, { put: 'from', value: 'worker' })
    await reached(store, 2, seq)
    tell({ name: 'durable', seq, seen: getText(store, 'main') })
    await cold.closeStore(store)
  },
  /** Commits and ends: nobody waits, nobody closes. */
  async forget(): Promise<void> {
    const store = await open()
    tell({ name: 'applied', seq: commit(store, { put: 'forgotten', value: 'yes' }).seq })
  },
  /** Commits in transactions for ever, each awaited. */
  async commits(): Promise<void> {
    const store = await open()
    for (let i = 0; ; i++) {
      if (hot.begin(store, 0) === FAILED) throw error()
      getText(store, 'counter')
      const set = writeSet({ put: 'counter', value: String(i) }, { event: Buffer.alloc(100 + (i % 1000)) })
      if (hot.commit(store, set, set.length, 1) !== 0) throw error()
      await reached(store, 2, set.readDoubleLE(0))
    }
  },
  /** Commits for ever without letting the event loop run. */
  async floods(): Promise<void> {
    const store = await open()
    for (let i = 0; ; i++) commit(store, { put: `key ${i % 1000}`, value: 'x'.repeat(i % 500) }, { event: 'flood' })
  },
  /** Gives two keys one value, for ever. */
  async pairs(): Promise<void> {
    const store = await open()
    for (let i = 0; ; i++) commit(store, { put: 'left', value: String(i) }, { put: 'right', value: String(i) })
  },
  /** Takes the gate and keeps it. */
  async holdsGate(): Promise<void> {
    const store = await open()
    if (hot.begin(store, 0) === FAILED) throw error()
    tell({ name: 'holding' })
    setInterval(() => {}, 1000)
  },
  /** Holds snapshots and ranges, and waits for what nobody writes. */
  async reads(): Promise<void> {
    const store = await open()
    for (let i = 0; i < 10; i++) {
      const { reader } = cold.openSnapshot(store)
      hot.rangeOpen(reader, 0, bounds(), -1)
      hot.rangeOpen(store, 0, bounds(), -1)
    }
    hot.want(store, 0, Number.MAX_SAFE_INTEGER, 0, 0, 0)
    tell({ name: 'reading' })
  },
  /** Counts its wakes until it is asked for the count; waits for nothing. */
  async counts(): Promise<void> {
    const store = await open()
    let wakes = 0
    onWake(() => wakes++)
    parentPort?.once('message', () => {
      void cold.closeStore(store).then(() => tell({ name: 'counted', wakes, counted: cold.counters().wakes }))
    })
    tell({ name: 'counting' })
  },
  /** Opens and closes for ever, without waiting for either. */
  async opens(): Promise<void> {
    for (let i = 0; ; i++) {
      const opening = cold.openStore(path, OPTIONS)
      if (i % 3 === 0) tell({ name: 'opening' })
      const { store } = await opening
      const closing = cold.closeStore(store)
      if (i % 2 === 0) await closing
    }
  },
}

await tasks[name]()
