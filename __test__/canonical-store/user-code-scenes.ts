// Calls in the middle of which the user's code runs and does its worst. After each of them this thread, another thread and the locks must go on.
//
//   user-code-scenes.ts PATH
import { setTimeout as sleep } from 'node:timers/promises'
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { runInThisContext } from 'node:vm'
import { type CanonicalStore, type Codec, type Json, type KeyCodec, open } from 'ledgerstone'
import type { LockKey } from 'ledgerstone/locks'
import { report } from '../support/report.ts'
import { ended, startWorker, told } from '../support/workers.ts'

type Store = CanonicalStore
/** What is run in the middle of a call. */
type Attack = () => unknown

const OPTIONS = { durability: 'applied', flush: { intervalMs: 200 } } as const
const TIME_OUT_MS = 15

/** A call of the store with `attack` in its middle. */
const ENTRIES: Record<string, (store: Store, attack: Attack) => unknown> = {
  'put: the value': (s, attack) => s.state.put('k', nasty(attack)),
  'put: the key': (s, attack) => spied(s, attack).put('k', 1),
  'put: a getter of its options': (s, attack) =>
    s.state.put('k', 1, {
      get signal() {
        attack()
        return undefined
      },
    }),
  'delete: the key': (s, attack) => spied(s, attack).delete('a'),
  'append: the event': (s, attack) => s.append(nasty(attack)),
  'appendAll: the second event': (s, attack) => s.appendAll([1, nasty(attack)]),
  'appendAll: the array': (s, attack) => s.appendAll(list([1, 2], attack)),
  'transact: a getter of its options': (s, attack) =>
    s.transact((tx) => tx.get(s.state, 'a'), {
      get durability() {
        attack()
        return undefined
      },
    }),
  'transact: the function': (s, attack) =>
    s.transact((tx) => {
      tx.append('e')
      attack()
      tx.put(s.state, 'k', 1)
    }),
  'transact: the function, that writes only': (s, attack) =>
    s.transact((tx) => {
      tx.put(s.state, 'k', 1)
      attack()
      tx.put(s.state, 'l', 1)
    }),
  'apply: the function': (s, attack) =>
    s.apply((tx) => {
      tx.get(s.state, 'a')
      attack()
      tx.append('e')
    }),
  'apply: a value': (s, attack) =>
    s.apply((tx) => {
      tx.put(s.state, 'k', nasty(attack))
      tx.append('e')
    }),
  'apply: an event': (s, attack) => s.apply((tx) => tx.append(nasty(attack))),
  'apply: a batch': (s, attack) => s.apply((tx) => tx.appendAll([1, nasty(attack), 3])),
  'apply: the key of get': (s, attack) => s.apply((tx) => tx.get(spied(s, attack), 'a')),
  'apply: the key of has': (s, attack) => s.apply((tx) => tx.has(spied(s, attack), 'a')),
  'apply: the keys of getMany': (s, attack) => s.apply((tx) => tx.getMany(spied(s, attack), ['a', 'b'])),
  'apply: the key of delete': (s, attack) => s.apply((tx) => tx.delete(spied(s, attack), 'a')),
  'apply: the bounds of deleteRange': (s, attack) => s.apply((tx) => tx.deleteRange(spied(s, attack), { gte: 'a', lt: 'c' })),
  'apply: a value of get': (s, attack) => s.apply((tx) => tx.get(decoded(s, attack), 'a')),
  'apply: values of getMany': (s, attack) => s.apply((tx) => tx.getMany(decoded(s, attack), ['a', 'b'])),
  'apply: values of a range': (s, attack) =>
    s.apply((tx) => {
      tx.put(s.state, 'ab', 1)
      return tx.range(decoded(s, attack)).toArray()
    }),
  'writeTxn: the value': (s, attack) => {
    const tx = s.writeTxn()
    tx.append('e')
    tx.put(s.state, 'k', nasty(attack))
    return tx.commit()
  },
  'writeTxn: the key of get, which ends it': (s, attack) => {
    const tx = s.writeTxn()
    return tx.get(
      spied(s, () => {
        tx.abort()
        attack()
      }),
      'a',
    )
  },
  'writeTxn: the key of delete, which ends it': (s, attack) => {
    const tx = s.writeTxn()
    return tx.delete(
      spied(s, () => {
        tx.abort()
        attack()
      }),
      'a',
    )
  },
  'writeTxn: the keys of getMany, which end it': (s, attack) => {
    const tx = s.writeTxn()
    return tx.getMany(
      spied(s, () => {
        tx.abort()
        attack()
      }),
      ['a'],
    )
  },
  'writeTxn: an event, which ends it': (s, attack) => {
    const tx = s.writeTxn()
    return tx.append(
      nasty(() => {
        tx.abort()
        attack()
      }),
    )
  },
  'phases: the keys': (s, attack) =>
    s.transact({
      keys: () => {
        attack()
        return { write: [s.state.key('a')] }
      },
      preflight: () => 0,
      apply: (tx) => tx.append('e'),
    }),
  'phases: the preflight': (s, attack) =>
    s.transact({
      keys: { write: [s.state.key('a')] },
      preflight: (ctx) => {
        ctx.get(s.state, 'a')
        attack()
      },
      apply: (tx) => tx.append('e'),
    }),
  'phases: what applies': (s, attack) =>
    s.transact({
      keys: { write: [s.state.key('a')] },
      preflight: (ctx) => ctx.get(s.state, 'a'),
      apply: (tx) => {
        attack()
        tx.append('e')
      },
    }),
  'check: the preflight': (s, attack) =>
    s.check({
      keys: { read: [s.state.key('a')] },
      preflight: (ctx) => {
        ctx.get(s.state, 'a')
        attack()
      },
    }),
  'get: the key': (s, attack) => spied(s, attack).get('a'),
  'get: the value': (s, attack) => decoded(s, attack).get('a'),
  'getMany: values': (s, attack) => decoded(s, attack).getMany(['a', 'b']),
  'range: the bounds': (s, attack) => spied(s, attack).range({ gte: 'a' }).toArray(),
  'range: values': (s, attack) => [...decoded(s, attack).range()],
  'range: keys': (s, attack) => [...spied(s, attack).range()],
  'locks: the set': (s, attack) => s.locks.acquire({ write: list<LockKey>(['x', s.state.key('a')], attack) }).then((guard) => guard.release()),
}

const ATTACKS: Record<string, (store: Store) => unknown> = {
  'opens a transaction': (s) => {
    s.writeTxn().get(s.state, 'a')
  },
  writes: (s) => {
    s.state.put('nested', 1).catch(() => {})
    s.apply((tx) => tx.put(s.state, 'nested', 2))
  },
  'writes, and nobody listens': (s) => void s.state.put('nested', 1),
  'closes the store': (s) => void s.close(),
  throws: () => {
    throw new Error('mine')
  },
  'reads and locks': (s) => {
    s.state.range().toArray()
    s.state.getMany(['a', 'b'])
    s.locks.tryAcquire({ write: ['y'] })?.release()
  },
}

/** A value that runs code when it is encoded. */
function nasty(attack: Attack): Json {
  return {
    toJSON: () => {
      attack()
      return 'encoded'
    },
  } as unknown as Json
}

/** An array that runs code when it is read. */
function list<T>(of: readonly T[], attack: Attack): T[] {
  const read = [...of]
  const last = read.length - 1
  const value = read[last] as T
  Object.defineProperty(read, last, {
    enumerable: true,
    get: () => {
      attack()
      return value
    },
  })
  return read
}

/** The state, with keys that run code when they are encoded and decoded. */
function spied(store: Store, attack: Attack): ReturnType<typeof store.collection<string>> {
  const key: KeyCodec<string> = {
    name: 'utf8',
    ordered: true,
    encode: (text) => {
      attack()
      return text
    },
    decode: (bytes) => {
      attack()
      return bytes.toString()
    },
  }
  return store.collection('state', { key })
}

/** The state, with values that run code when they are decoded. */
function decoded(store: Store, attack: Attack): ReturnType<typeof store.collection<string>> {
  const value: Codec<Json> = {
    name: 'json',
    encode: (v) => JSON.stringify(v),
    decode: (bytes) => {
      attack()
      return JSON.parse(bytes.toString()) as Json
    },
  }
  return store.collection('state', { value })
}

interface Witness {
  readonly base: Store
  readonly writes: (what: string) => Promise<void>
}

let cases = 0

/** Runs one call, and then sees whether everybody can go on. */
async function live(what: string, { base, writes }: Witness, call: (store: Store) => unknown): Promise<void> {
  cases++
  const store: Store = await open(base.path, OPTIONS)
  try {
    await call(store)
  } catch {}
  await new Promise((resolve) => setImmediate(resolve))
  try {
    await base.state.put('own', cases)
    base.apply((tx) => tx.append(what))
  } catch (error) {
    report(`${what}: this thread cannot write: ${String((error as { code?: unknown }).code ?? error)}`)
  }
  await writes(what)
  await store.close()
}

async function main(path: string): Promise<void> {
  const base: Store = await open(path, OPTIONS)
  base.apply((tx) => {
    for (const key of ['a', 'b', 'c']) tx.put(base.state, key, key)
  })
  const worker = startWorker(new URL(import.meta.url), path)
  const gone = ended(worker)
  await told(worker)
  const witness: Witness = {
    base,
    writes: async (what) => {
      worker.postMessage('write')
      const answer = await told(worker)
      if (answer !== 'written') report(`${what}: another thread cannot write: ${String(answer)}`)
    },
  }
  for (const [entry, call] of Object.entries(ENTRIES)) {
    for (const [name, attack] of Object.entries(ATTACKS)) {
      let left = 1
      await live(`${entry} ${name}`, witness, (store) =>
        call(store, () => {
          if (left-- > 0) attack(store)
        }),
      )
    }
    await live(`${entry} is cut off by a time-out`, witness, (store) =>
      timedOut(() =>
        call(store, () => {
          for (;;);
        }),
      ),
    )
    await live(`${entry} anywhere at the end of the stack`, witness, (store) => atTheEnd(() => call(store, () => {})))
  }
  await freed(base)
  worker.postMessage('end')
  await gone
  await base.close()
  report(`${cases} cases`)
}

/** V8 ends what runs, without `catch` or `finally`. */
function timedOut(call: () => unknown): unknown {
  ;(globalThis as { call?: unknown }).call = call
  return runInThisContext('call()', { timeout: TIME_OUT_MS })
}

/** Calls from every depth at which there is little stack left. */
async function atTheEnd(call: () => unknown): Promise<void> {
  const begun: unknown[] = []
  let left = 150
  const dive = (): void => {
    try {
      dive()
    } catch (error) {
      if (!(error instanceof RangeError) || left === 0) throw error
    }
    if (left === 0) return
    left--
    try {
      begun.push(call())
    } catch {}
  }
  dive()
  await Promise.allSettled(begun)
}

/** The locks of what was cut off are released when it is collected. */
async function freed(base: Store): Promise<void> {
  for (let round = 0; round < 100; round++) {
    globalThis.gc?.()
    await sleep(10)
    const guard = base.locks.tryAcquire({ write: [base.state.key('a'), 'x', 'y'] })
    if (guard !== undefined) return guard.release()
  }
  report('a lock is still held')
}

async function worker(path: string): Promise<void> {
  const store = await open(path, OPTIONS)
  const answer = async (message: unknown): Promise<void> => {
    if (message === 'write')
      return parentPort?.postMessage(
        await store.state.put('other', 1).then(
          () => 'written',
          (error: { code: string }) => error.code,
        ),
      )
    await store.close()
    parentPort?.close()
  }
  parentPort?.on('message', (message) => void answer(message))
  parentPort?.postMessage('ready')
}

if (isMainThread) await main(process.argv[2] as string)
else await worker(workerData as string)
