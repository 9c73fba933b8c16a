// Short programs that listen to the diagnostics channels: one per argument. Workers run this file too.
//
//   channel-scenes.ts SCENE PATH
import { subscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { type CommitGroupMessage, open, type PoisonedMessage } from 'ledgerstone'
import { report } from '../support/report.ts'
import { startWorker, told } from '../support/workers.ts'

const COMMITS = 300

const scenes: Record<string, (path: string) => Promise<void>> = {
  workers: async (path) => {
    const store = await open(path)
    const heard = counting()
    const workers = ['listens', 'listens', 'does not'].map((name) => startWorker(new URL(import.meta.url), { path, name }))
    await Promise.all(workers.map(told))
    for (let n = 0; n < COMMITS; n++) {
      const commit = store.state.put('a', n)
      if (n % 10 === 0) await commit
    }
    await store.sync()
    for (const worker of workers) worker.postMessage('close')
    report(JSON.stringify(await Promise.all(workers.map(told))))
    await store.close()
    report(`main ${heard.commits}`)
  },
  throws: async (path) => {
    let thrown = 0
    process.on('uncaughtException', (error) => {
      if (error.message !== 'a listener fails') throw error
      thrown++
    })
    let heard = 0
    subscribe('ledgerstone:commit-group', () => {
      heard++
      throw new Error('a listener fails')
    })
    const store = await open(path)
    for (let n = 0; n < 50; n++) await store.state.put('a', n)
    await store.close()
    await new Promise((resolve) => setImmediate(resolve))
    report(`${heard === thrown && heard >= 50 ? 'each failed for itself' : `${heard} ${thrown}`}, seq ${(await open(path)).stats().levels.durable}`)
    process.exit(0)
  },
  poisoned: async (path) => {
    const messages: PoisonedMessage[] = []
    subscribe('ledgerstone:poisoned', (message) => void messages.push(message as PoisonedMessage))
    const store = await open(path, { flush: { bytes: 256 * 1024 } })
    for (let n = 0; store.failure === undefined && n < 5000; n++) await store.append('p'.repeat(20_000)).catch(() => {})
    await store.append('a').catch(() => {})
    await store.close().catch(() => {})
    report(JSON.stringify(messages.map(({ path, error }) => ({ path, code: error.code, isFailure: messages.length === 1 }))))
  },
}

/** Counts the commits that are published to this thread from now on. */
function counting(): { commits: number } {
  const heard = { commits: 0 }
  subscribe('ledgerstone:commit-group', (message) => void (heard.commits += (message as CommitGroupMessage).commits))
  return heard
}

if (isMainThread) {
  const [scene, path] = process.argv.slice(2) as [string, string]
  await (scenes[scene] as (path: string) => Promise<void>)(path)
} else {
  const { path, name } = workerData as { path: string; name: string }
  const heard = name === 'listens' ? counting() : { commits: 0 }
  const store = await open(path)
  parentPort?.postMessage('ready')
  if (parentPort !== null) await once(parentPort, 'message')
  await store.close()
  parentPort?.postMessage(heard.commits)
}
