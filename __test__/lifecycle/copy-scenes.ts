// The package evaluated several times in one thread, as test runners and hot reload do, and installed twice: scenes in a separate process.
//
//   copy-scenes.ts SCENE FOLDER
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type * as Locks from 'ledgerstone/locks'
import type * as Logs from 'ledgerstone/event-log'
import type * as Package from 'ledgerstone'
import { report } from '../support/report.ts'
import { ended, startWorker } from '../support/workers.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { version: VERSION } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
const [scene = '', folder = ''] = process.argv.slice(2)

type Copy = typeof Package & typeof Locks & typeof Logs

/** The package once more: its JavaScript, and the binary by a link or as a separate file. */
function installed(name: string, binary: 'linked' | 'copied'): string {
  const into = join(folder, name)
  mkdirSync(into)
  for (const part of ['dist', 'package.json']) cpSync(join(root, part), join(into, part), { recursive: true })
  for (const file of readdirSync(root).filter((file) => file.endsWith('.node'))) {
    if (binary === 'copied') cpSync(join(root, file), join(into, file))
    else symlinkSync(join(root, file), join(into, file))
  }
  return into
}

async function imported(at: string): Promise<Copy> {
  const parts = ['index.js', 'lock-manager/index.js', 'event-log/index.js'].map((file) => pathToFileURL(join(at, 'dist', file)).href)
  return Object.assign({}, ...(await Promise.all(parts.map((part) => import(part) as Promise<object>)))) as Copy
}

function required(at: string): Copy {
  const require = createRequire(import.meta.url)
  return Object.assign({}, ...['index.js', 'lock-manager/index.js', 'event-log/index.js'].map((file) => require(join(at, 'dist', 'cjs', file)) as object)) as Copy
}

const codeOf = (work: () => unknown): string => {
  try {
    work()
    return 'none'
  } catch (error) {
    return (error as { code: string }).code
  }
}

/** What every pair of copies has to do. */
async function together(one: Copy, two: Copy): Promise<void> {
  const path = join(folder, 'store')
  const a = await one.open(path, { events: one.utf8() })
  await a.state.put('key', 'of one')
  const b = await two.open(path, { events: two.utf8() })
  report(`reads ${JSON.stringify(b.state.get('key'))}`)

  // Both write at once, both are answered.
  await Promise.all(Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? a : b).append(`event ${i}`)))
  let followed = 0
  for await (const { id } of b.follow()) if ((followed = id) === 50) break
  report(`events ${followed} ${a.events().count()}`)

  // A transaction of one is the thread's: the other reads in it, and may not write beside it.
  let refusal: Promise<string> | undefined
  let inside: unknown
  try {
    a.apply((tx) => {
      tx.put(a.state, 'key', 'in the transaction')
      inside = b.state.get('key')
      tx.put(b.state, 'by', 'the collection of two')
      refusal = b.state.put('key', 'beside').then(
        () => 'written',
        (error: unknown) => (error as { code: string }).code,
      )
    })
  } catch (error) {
    report(`${String(inside)}: ${(error as { code: string }).code}`)
  }
  report(`refused ${await refusal}, reads ${JSON.stringify(b.state.get('key'))}`)
  a.apply((tx) => tx.put(b.state, 'by', 'the collection of two'))
  report(JSON.stringify(a.state.get('by')))

  // What waits behind a transaction of the other is let in after it.
  const txn = a.writeTxn()
  txn.put(a.state, 'explicit', 1)
  txn.commit()
  await b.state.put('after', 1)

  // Locks: keys and waiting across copies.
  const guard = await a.locks.acquire({ write: [b.state.key('key')] })
  report(`locked ${typeof b.locks.tryAcquire({ write: [a.state.key('key')] })}`)
  const waiting = b.locks.acquire({ write: [a.state.key('key')] })
  guard.release()
  ;(await waiting).release()

  // Errors and codecs of one are known to the other.
  let error: unknown
  try {
    await a.state.put('', 1)
  } catch (thrown) {
    error = thrown
  }
  class Own extends two.InvalidArgumentError {}
  report([two.LedgerstoneError, two.InvalidArgumentError, two.LimitError, Own].map((kind) => error instanceof kind).join(' '))
  report(
    codeOf(() =>
      b
        .collection('c', { key: one.binary(), value: one.json() })
        .range({ prefix: Buffer.from('x') })
        .toArray(),
    ),
  )

  // A log and a lock manager of each.
  const log = await one.EventLog.open(join(folder, 'log'))
  log.appendWithId(1, Buffer.from('x'))
  report(
    `log ${await two.EventLog.open(join(folder, 'log')).then(
      () => 'opened twice',
      (failure: unknown) => (failure as { code: string }).code,
    )}`,
  )
  await log.close()
  const manager = new two.LockManager()
  const first = await manager.acquire({ write: ['x'] })
  const second = manager.acquire({ write: ['x'] })
  first.release()
  ;(await second).release()

  await a.close()
  await b.state.put('last', 1)
  await b.close()
  const home = (globalThis as unknown as Record<symbol, { wakes: Set<unknown>; stores: Map<unknown, unknown> }>)[Symbol.for('ledgerstone.thread')]
  report(`left ${home?.wakes.size} ${home?.stores.size}`)
}

const scenes: Record<string, () => Promise<void>> = {
  'two-graphs': async () => together(await imported(installed('one', 'linked')), await imported(installed('two', 'linked'))),
  'two-binaries': async () => together(await imported(installed('one', 'copied')), await imported(installed('two', 'copied'))),
  'module-and-commonjs': async () => {
    const at = installed('one', 'linked')
    await together(await imported(at), required(at))
  },
  'two-versions': async () => {
    const one = await imported(installed('one', 'linked'))
    await (await one.open(join(folder, 'store'))).close()
    const home = (globalThis as unknown as Record<symbol, { joined: { version: string } }>)[Symbol.for('ledgerstone.thread')]
    if (home !== undefined) home.joined = { ...home.joined, version: '0.0.1' }
    const two = await imported(installed('two', 'linked'))
    await two.open(join(folder, 'store')).catch((error: unknown) => {
      const { code, expected, actual } = error as { code: string; expected: string; actual: string }
      report(`${code} ${expected === VERSION} ${actual}`)
    })
  },
  'two-binaries-in-two-threads': async () => {
    const one = await imported(installed('one', 'copied'))
    installed('two', 'copied')
    const store = await one.open(join(folder, 'store'))
    const log = await one.EventLog.open(join(folder, 'log'))
    await inWorker('opens-by-two')
    for (const name of ['store', 'log']) {
      // As a copy of that version would have left it.
      const hint = join(folder, name, 'LOCK.owner')
      const [pid, time, , birth] = readFileSync(hint, 'utf8').split('\n')
      writeFileSync(hint, [pid, time, '0.0.1-beta', birth, ''].join('\n'))
    }
    await inWorker('opens-by-two')
    await log.close()
    await store.close()
    await inWorker('opens-by-two')
  },
  'opens-by-two': async () => {
    const two = await imported(join(folder, 'two'))
    for (const [name, open] of [
      ['store', two.open],
      ['log', (path: string) => two.EventLog.open(path)],
    ] as const) {
      const opened: unknown = await open(join(folder, name)).catch((error: unknown) => error)
      if (!(opened instanceof Error)) {
        report(`${name} opened`)
        await (opened as Package.CanonicalStore).close()
        continue
      }
      const { code, pid, expected, actual, message } = opened as Error & { code: string; pid?: number; expected?: string; actual?: string }
      const whose = /in this process, by (another version|another owner or a copy of this package with a separate native binary)/.exec(message)?.[1]
      report(`${name} ${code} ${pid === process.pid ? 'own pid' : 'no pid'} ${expected === VERSION} ${actual}: ${whose}`)
    }
  },
}
await scenes[scene]?.()

async function inWorker(part: string): Promise<void> {
  report(`worker ${await ended(startWorker(new URL(import.meta.url), undefined, { argv: [part, folder] }))}`)
}
