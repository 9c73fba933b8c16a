// Short programs about who has a snapshot set, one per argument; the workers run this file too.
//
//   set-scenes.ts SCENE PATH
import { setTimeout as pause } from 'node:timers/promises'
import { isMainThread, parentPort, type Worker, workerData } from 'node:worker_threads'
import { FileSnapshotSet } from 'ledgerstone/snapshots'
import { report } from '../support/report.ts'
import { startWorker, told } from '../support/workers.ts'
import { holds, publish, short } from './set-folder.ts'

const ROUNDS = 12

/** Still in use when the process ends; garbage-collected it would be closed before. */
let kept: unknown
process.once('exit', () => kept)

const scenes: Record<string, (path: string) => Promise<void>> = {
  holds: async (path) => {
    const set = await FileSnapshotSet.open(path)
    kept = set
    await publish(set, 1)
    setInterval(() => {}, 1_000)
    report('open')
  },
  idle: async (path) => {
    kept = await FileSnapshotSet.open(path)
    report('open')
  },
  'exits-with-a-call-under-way': async (path) => {
    const set = await FileSnapshotSet.open(path)
    kept = [set, set.createOrGetSnapshot('pending', 64, false), set.createOrGetSnapshot('diff', 64, false), set.prune({ pendings: true })]
    await pause(2)
    process.exit(0)
  },
  'worker-holds': async (path) => {
    const worker = await start(path)
    const refused = await FileSnapshotSet.open(path).then(
      () => undefined,
      (error: { code: string; pid: number }) => error,
    )
    report(`${refused?.code} ${refused?.pid === process.pid ? 'own pid' : refused?.pid}`)
    await worker.terminate()
    await (await opened(path)).close()
    report('free')
  },
  // Terminated in the middle of whatever it does, again and again.
  terminated: async (path) => {
    let whole = 0
    for (let round = 0; round < ROUNDS; round++) {
      const worker = await start(path)
      await pause(round * 3)
      await worker.terminate()
      const set = await opened(path)
      const { snapshots, foreign } = set.list()
      const chain = set.snapshotsToRestore()
      if (foreign.length === 0 && set.recovery.damaged.length === 0 && snapshots.filter(({ type }) => type === 'full').every(holds) && chain.length > 0) whole++
      await set.prune({ keepFull: 2, pendings: true })
      await set.close()
    }
    report(`whole ${whole} of ${ROUNDS}`)
  },
  forgotten: async (path) => {
    const warnings: string[] = []
    process.on('warning', (warning) => warnings.push(`${(warning as { code?: string }).code} ${warning.message}`))
    await (async () => {
      await publish(await FileSnapshotSet.open(path), 1)
    })()
    for (let tries = 0; tries < 400 && warnings.length === 0; tries++) {
      globalThis.gc?.()
      await pause(5)
    }
    report(warnings.join())
    const set = await opened(path)
    report(short(set.snapshotsToRestore()).join())
    await set.close()
  },
}

if (isMainThread) {
  const [scene, path] = process.argv.slice(2) as [string, string]
  await scenes[scene]?.(path)
} else {
  const set = await FileSnapshotSet.open(workerData as string)
  kept = set
  await publish(set, 1)
  parentPort?.postMessage('open')
  for (let n = 0; ; n++) {
    await set.createOrGetSnapshot('diff', 2, n % 2 === 0)
    await publish(set, 3, { purgeObsoleteDiffs: n % 3 === 0, purgeObsoletePendings: true })
    if (n % 5 === 0) await set.prune({ keepFull: 2 })
  }
}

/** A worker that has the set open. */
async function start(path: string): Promise<Worker> {
  const worker = startWorker(new URL(import.meta.url), path)
  await told(worker)
  return worker
}

/** The set, once the one before has given it back: what was under way in a thread that has ended ends by itself. */
async function opened(path: string): Promise<FileSnapshotSet> {
  for (;;) {
    const set = await FileSnapshotSet.open(path).catch((error: { code: string }) => {
      if (error.code !== 'ERR_LOCKED') throw error
    })
    if (set !== undefined) return set
    await pause(2)
  }
}
