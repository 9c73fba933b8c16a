// Short programs whose end is the point, one per argument.
//
//   process-scenes.ts SCENE PATH
import { execFileSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { open as openFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type CanonicalStore, open } from 'ledgerstone'
import { EventLog } from 'ledgerstone/event-log'
import { report } from '../support/report.ts'

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
  'idle': async () => {
    const store = await open(path)
    await store.state.put('n', COMMITS)
    keep(store)
    report('idle')
  },
  'opened and never used': async () => {
    keep(await open(path))
    report('idle')
  },
  'busy': async () => {
    // Listeners run in the order they were added: this one before the store's own.
    const opened: CanonicalStore[] = []
    process.on('exit', () => {
      for (const store of opened) report(`at exit: ${JSON.stringify(store.stats().levels)}`)
    })
    opened.push(await open(path, { flush: { intervalMs: 300 } }))
    for (const store of opened) commitAll(store)
  },
  'the pool is taken': async () => {
    const queue = join(path, 'queue')
    execFileSync('mkfifo', [queue])
    // Each waits on a thread of Node's pool for somebody who writes.
    const stuck = Array.from({ length: 8 }, () => openFile(queue, 'r'))
    const store = await open(join(path, 'store'), QUIET)
    await store.state.put('n', COMMITS)
    await store.close()
    const log = await EventLog.open(join(path, 'log'))
    await log.close()
    report('opened and closed')
    const writer = openSync(queue, 'r+')
    for (const file of stuck) await (await file).close()
    closeSync(writer)
  },
  'busy while closing': async () => {
    const store = await open(path, QUIET)
    commitAll(store)
    void store.close().then(() => report('closed'))
  },
  'SIGTERM': async () => {
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
      opened ||= await open(path, { segmentBytes: 1 << 20 }).then((store) => store.close().then(() => true), () => false)
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
