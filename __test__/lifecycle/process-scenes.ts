// Short programs whose end is the point, one per argument.
//
//   process-scenes.ts SCENE PATH
import { execFileSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { open as openFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type CanonicalStore, json, open, utf8 } from 'ledgerstone'
import { EventLog } from 'ledgerstone/event-log'
import { report } from '../support/report.ts'
import { ended, startWorker } from '../support/workers.ts'

const [scene, path] = process.argv.slice(2) as [string, string]
const COMMITS = 500
/** Nothing is flushed to LMDB behind the scene's back. */
const QUIET = { flush: { intervalMs: 3_600_000 } }

declare const gc: (() => void) | undefined

const scenes: Record<string, () => Promise<void> | void> = {
  'exit with commits pending': async () => {
    const store = await open(path, QUIET)
    // After the store's own listener, and long before anything is written that nobody has asked for.
    process.on('exit', () => {
      const { applied, written } = store.stats().levels
      report(`written ${written} of ${applied}`)
    })
    await new Promise((resolve) => setTimeout(resolve, 30))
    commitAll(store)
    process.exit(0)
  },
  'uncaught exception with commits pending': async () => {
    commitAll(await open(path, QUIET))
    throw new Error('nobody catches this')
  },
  'uncaught exception in a callback with commits pending': async () => {
    const store = await open(path, QUIET)
    setTimeout(() => {
      commitAll(store)
      throw new Error('nobody catches this')
    }, 5)
  },
  'unhandled rejection with commits pending': async () => {
    commitAll(await open(path, QUIET))
    void Promise.reject(new Error('nobody handles this'))
  },
  'exit while waiting for durable': async () => {
    const store = await open(path, { ...QUIET, inlineFlush: 'never' })
    for (let n = 1; n <= COMMITS; n++) void store.transact((tx) => tx.put(store.state, 'n', n))
    process.nextTick(() => process.exit(0))
  },
  idle: async () => {
    const store = await open(path)
    await store.state.put('n', COMMITS)
    keep(store)
    report('idle')
  },
  'opened and never used': async () => {
    keep(await open(path))
    report('idle')
  },
  busy: async () => {
    commitAll(await openedUntilExit())
  },
  'busy for a while': async () => {
    const store = await openedUntilExit()
    for (let round = 0; round < 20; round++) {
      commitAll(store)
      await turn()
    }
  },
  'busy in a worker': async () => {
    const worker = startWorker(new URL(import.meta.url), path, { argv: ['busy', path] })
    const store = await open(path, QUIET)
    report(`worker ${await ended(worker)}`)
    const { applied, durable } = store.stats().levels
    report(`of the worker: ${durable} of ${applied}`)
    await store.close()
  },
  'busy at the very end': async () => {
    // A listener before the package's own, and one behind it, which commits in a microtask too.
    const opened: CanonicalStore[] = []
    const commit = (n: number): void => {
      for (const store of opened) store.apply((tx) => tx.put(store.state, `${n}`, n))
    }
    process.once('beforeExit', () => commit(1))
    opened.push(await openedUntilExit())
    process.once('beforeExit', () => {
      commit(2)
      void Promise.resolve().then(() => commit(3))
    })
  },
  'the event loop goes on after its end': async () => {
    const store = await openedUntilExit()
    let rounds = 0
    process.on('beforeExit', () => {
      if (rounds++ > 0) return
      const goOn = async (): Promise<void> => {
        const before = store.stats().journal.flushes
        for (let round = 0; round < 20; round++) {
          commitAll(store)
          await turn()
        }
        report(`${store.stats().journal.flushes - before} flushes`)
      }
      setTimeout(() => void goOn(), 10)
    })
  },
  'the event loop goes on after its end, with fake timers': async () => {
    Object.assign(globalThis, { setImmediate: () => ({ unref: () => {} }) })
    await scenes['the event loop goes on after its end']?.()
  },
  'the pool is taken': async () => {
    const queue = join(path, 'queue')
    execFileSync('mkfifo', [queue])
    // Each waits on a thread of Node's pool for somebody who writes.
    const stuck = Array.from({ length: 8 }, () => openFile(queue, 'r'))
    const store = await open(join(path, 'store'), QUIET)
    for (const n of [1, 2, 3]) await store.append(n)
    await store.collection('c', { key: utf8(), value: json() }).put('key', 1)
    const log = await EventLog.open(join(path, 'log'))
    for (const id of [1, 2, 3]) log.appendWithId(id, Buffer.from('event'))
    const calls: Record<string, () => Promise<unknown>> = {
      seal: () => store.seal(),
      unseal: () => store.unseal(),
      trimEvents: () => store.trimEvents({ before: 2 }),
      rotateEvents: () => store.rotateEvents(),
      checksum: async () => {
        const held = store.eventSegments()
        for (const segment of held) await held.checksum(segment)
        held.release()
      },
      pauseIngestion: async () => (await store.pauseIngestion()).release(),
      sync: () => store.sync(),
      flush: () => store.flush(),
      verify: () => store.verify(),
      dropCollection: () => store.dropCollection('c'),
      'log.sync': () => log.sync(),
      'log.rotate': () => log.rotate(),
      'log.checksum': async () => {
        for (const segment of log.segments()) await log.checksum(segment)
      },
      'log.deleteRange': () => log.deleteRange(1, 2),
      'log.verify': () => log.verify(),
      'log.close': () => log.close(),
      close: () => store.close(),
    }
    for (const [name, call] of Object.entries(calls)) {
      await call()
      report(name)
    }
    const writer = openSync(queue, 'r+')
    for (const file of stuck) await (await file).close()
    closeSync(writer)
  },
  'busy while closing': async () => {
    const store = await open(path, QUIET)
    commitAll(store)
    void store.close().then(() => report('closed'))
  },
  SIGTERM: async () => {
    const store = await open(path, { durability: 'written' })
    for (let n = 1; ; n++) {
      await store.state.put('n', n)
      report(`${n}`)
    }
  },
  'a handle that nobody waits for': async () => {
    const store = await open(path)
    process.on('unhandledRejection', () => report('unhandled'))
    store.apply((tx) => tx.put(store.state, 'n', 1))
    try {
      store.apply(() => {
        throw new Error('thrown at once')
      })
    } catch {
      report('thrown')
    }
    await store.close()
    const late = store.append([]).catch((error: { code: string }) => report(error.code))
    await late
    await turn()
  },
  'a dropped write that fails': async () => {
    const store = await open(path)
    process.on('unhandledRejection', (error: { code?: string; message: string }) => report(`unhandled ${error.code ?? error.message}`))
    void store.transact(() => {
      throw new Error('of the callback')
    })
    await turn()
    void store.state.put('', 1)
    await turn()
    await store.close()
    void store.state.put('a', 1)
    await turn()
  },
  'forgotten snapshots and ranges': async () => {
    const store = await open(path)
    for (let n = 0; n < 5000; n++) store.apply((tx) => tx.put(store.state, `k${n}`, 'value '.repeat(20)))
    await store.sync()
    forgetReaders(store)
    report(`held ${store.stats().readers.snapshots}`)
    const released = await collected(() => store.stats().readers.snapshots === 0)
    report(released ? 'released' : `held ${store.stats().readers.snapshots}`)
    await store.flush()
    await store.close()
  },
  'a forgotten store': async () => {
    await forget()
    // As long as the first handle is there this contradicts it.
    let opened = false
    await collected(async () => {
      opened ||= await open(path, { segmentBytes: 1 << 20 }).then(
        (store) => store.close().then(() => true),
        () => false,
      )
      return opened
    })
    report(opened ? 'closed' : 'still open')
  },
  'a collection keeps its store': async () => {
    const { state } = await open(path)
    await collected(() => false, 20)
    await state.put('n', COMMITS)
    report(JSON.stringify(state.get('n')))
    keep(state)
  },
}

await scenes[scene]?.()

/** Tells at the exit how far it has come. Listeners run in the order they were added: this one before the package's own. */
async function openedUntilExit(): Promise<CanonicalStore> {
  const opened: CanonicalStore[] = []
  let before = 0
  process.on('exit', () => {
    for (const store of opened) report(`at exit: ${JSON.stringify({ ...store.stats().levels, flushes: store.stats().journal.flushes - before })}`)
  })
  const store = await open(path, QUIET)
  await store.state.put('n', 0, { durability: 'durable' })
  before = store.stats().journal.flushes
  opened.push(store)
  return store
}

function commitAll(store: CanonicalStore): void {
  for (let n = 1; n <= COMMITS; n++) {
    store.apply((tx) => {
      tx.put(store.state, 'n', n)
      tx.append(n)
    })
  }
  report('applied')
}

function forgetReaders(store: CanonicalStore): void {
  for (let n = 0; n < 300; n++) {
    const snapshot = store.snapshot()
    const range = n % 2 === 0 ? snapshot.range(store.state) : store.range(store.state)
    range[Symbol.iterator]().next()
  }
}

async function forget(): Promise<void> {
  const store = await open(path, { segmentBytes: 128 * 1024 })
  await store.state.put('n', COMMITS)
}

/** Collects garbage until `is` true, at most so many times. */
async function collected(is: () => boolean | Promise<boolean>, times = 200): Promise<boolean> {
  for (let i = 0; i < times; i++) {
    gc?.()
    await turn()
    if (await is()) return true
  }
  return false
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5))
}

function keep(what: unknown): void {
  ;(globalThis as { kept?: unknown }).kept = what
}
