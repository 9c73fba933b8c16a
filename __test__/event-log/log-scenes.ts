// Short programs about who has a log, one per argument; the workers run this file too.
//
//   log-scenes.ts SCENE PATH
import { setTimeout as pause } from 'node:timers/promises'
import { isMainThread, parentPort, type Worker, workerData } from 'node:worker_threads'
import { EventLog } from 'ledgerstone/event-log'
import { report } from '../support/report.ts'
import { ended, startWorker, told } from '../support/workers.ts'
import { eventOf } from './log-folder.ts'

interface Part {
  readonly scene: string
  readonly path: string
  readonly acknowledged: Int32Array
}

const ROUNDS = 12
const OPTIONS = { segmentBytes: 16 * 1024 }

/** Still in use when the worker ends; garbage-collected it would be closed before. */
let kept: unknown
process.once('exit', () => kept)

const inMain: Record<string, (path: string) => Promise<void>> = {
  holds: async (path) => {
    kept = await EventLog.open(path)
    setInterval(() => {}, 1_000)
    report('open')
  },
  idle: async (path) => {
    const log = await EventLog.open(path)
    log.appendWithId(1, eventOf(1))
    kept = log
    report('open')
  },
  'exits-with-a-call-under-way': async (path) => {
    const log = await EventLog.open(path)
    log.appendWithId(1, eventOf(1))
    kept = [log, log.sync(), log.verify(), log.rotate()]
    process.exit(0)
  },
  // A worker has it; a second owner in this thread is refused, also while the worker works.
  'worker-holds': async (path) => {
    const { worker } = await start('appends', path)
    const refused = await EventLog.open(path).then(
      () => undefined,
      (error: { code: string; pid: number }) => error,
    )
    report(`${refused?.code} ${refused?.pid === process.pid ? 'own pid' : refused?.pid}`)
    await worker.terminate()
    report('terminated')
    await (await EventLog.open(path)).close()
  },
  // Terminated in the middle of whatever it does, again and again: what was acknowledged is there, and the folder is free.
  terminated: async (path) => {
    let closed = 0
    for (let round = 0; round < ROUNDS; round++) {
      const { worker, acknowledged } = await start('appends', path)
      await pause(round * 3)
      await worker.terminate()
      const log = await EventLog.open(path, OPTIONS)
      if (log.recovery.wasClosed) closed++
      if (log.newestEventId < Atomics.load(acknowledged, 0)) throw new Error(`lost: ${log.newestEventId} of ${acknowledged[0]}`)
      let expected = log.oldestEventId
      for (const [id, bytes] of log.iterRange(0)) if (id !== expected++ || !bytes.equals(eventOf(id))) throw new Error(`event ${id}`)
      if (expected !== log.nextEventId) throw new Error(`${expected} is missing`)
      if (!(await log.verify()).ok) throw new Error('damaged')
      await log.deleteRange(0, Math.max(0, log.nextEventId - 50))
      await log.close()
    }
    report(`closed ${closed} of ${ROUNDS}`)
  },
  'worker-ends': async (path) => {
    const { worker } = await start('ends', path)
    await ended(worker)
    const log = await EventLog.open(path)
    report(`${log.newestEventId} events, closed: ${log.recovery.wasClosed}`)
    await log.close()
  },
  // A forgotten log is closed in the background; one that is being iterated is not forgotten.
  forgotten: async (path) => {
    const warnings: string[] = []
    process.on('warning', (warning) => warnings.push(`${(warning as { code?: string }).code} ${warning.message}`))
    let iterator: Iterator<[number, Buffer]> | undefined = await (async () => {
      const log = await EventLog.open(path)
      for (let id = 1; id <= 500; id++) log.appendWithId(id, eventOf(id))
      return log.iterRange(0)[Symbol.iterator]()
    })()
    let seen = 0
    for (; seen < 400; seen++) {
      iterator.next()
      if (seen % 20 === 0) {
        globalThis.gc?.()
        await pause(1)
      }
    }
    report(`${seen} ${warnings.length}`)
    iterator = undefined
    for (let tries = 0; tries < 400 && warnings.length === 0; tries++) {
      globalThis.gc?.()
      await pause(5)
    }
    report(warnings.join())
    for (;;) {
      const log = await EventLog.open(path).catch((error: { code: string }) => {
        if (error.code !== 'ERR_LOCKED') throw error // it is being closed
      })
      if (log === undefined) continue
      report(`${log.newestEventId} closed: ${log.recovery.wasClosed}`)
      return log.close()
    }
  },
}

const inWorker: Record<string, (log: EventLog, acknowledged: Int32Array) => void> = {
  appends: (log, acknowledged) => {
    parentPort?.postMessage('open')
    const pending: Promise<unknown>[] = []
    for (let n = 0; ; n++) {
      log.appendWithId(log.nextEventId, eventOf(log.nextEventId))
      Atomics.store(acknowledged, 0, log.newestEventId)
      if (n % 50 === 7) pending.push(log.rotate(), log.sync(), log.verify(), log.deleteRange(0, Math.max(0, log.newestEventId - 200)))
    }
  },
  ends: (log) => {
    kept = log
    log.appendBatchWithIds(1, [eventOf(1), eventOf(2), eventOf(3)])
    parentPort?.postMessage('open')
  },
}

if (isMainThread) {
  const [scene, path] = process.argv.slice(2) as [string, string]
  await inMain[scene]?.(path)
} else {
  const { scene, path, acknowledged } = workerData as Part
  inWorker[scene]?.(await EventLog.open(path, OPTIONS), acknowledged)
}

/** A worker that has the log open. */
async function start(scene: string, path: string): Promise<{ worker: Worker; acknowledged: Int32Array }> {
  const acknowledged = new Int32Array(new SharedArrayBuffer(4))
  const worker = startWorker(new URL(import.meta.url), { scene, path, acknowledged } satisfies Part)
  await told(worker)
  return { worker, acknowledged }
}
