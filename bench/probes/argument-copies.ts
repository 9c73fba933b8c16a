// What it costs that bytes are copied at the call: where the user's code runs before they are written, where they wait, and where another thread could
// change them. Each beside the same call whose bytes are written at once.
import { join } from 'node:path'
import { binary, open, type CanonicalStore, type Codec, type Collection } from 'ledgerstone'
import { EventLog } from 'ledgerstone/event-log'
import type { Figures, Probe } from '../child.ts'
import { Random, VALUE_BYTES } from '../peer.ts'

const CALLS = 200_000
const QUICK_PART = 10
const QUICK_RECORDS = 100_000
const TOGETHER = 1_000
const KEY_BYTES = 32
const EVENT_BYTES = 1_024

type Things = Collection<Uint8Array, Buffer, Uint8Array>

/** Passes bytes on, as `binary` does, but is the user's: it might use the key's memory. */
const own: Codec<Buffer, Uint8Array> = { name: 'own', encode: (bytes) => bytes, decode: (bytes) => bytes }

export const probe: Probe = {
  title: 'copies of arguments, ns a call',
  async run(folder, size) {
    const calls = size.records < QUICK_RECORDS ? CALLS / QUICK_PART : CALLS
    const random = new Random(7)
    const keys = Array.from({ length: TOGETHER }, () => random.bytes(KEY_BYTES))
    const value = random.bytes(VALUE_BYTES)
    const store = await open(join(folder, 'store'), { durability: 'applied' })
    const passedOn = store.collection('passed on', { key: binary(), value: binary() })
    const encoded = store.collection('encoded', { key: binary(), value: own })
    const put =
      (to: Things) =>
      (key: Uint8Array, tx: { put(to: Things, key: Uint8Array, value: Uint8Array): void }): void =>
        tx.put(to, key, value)
    const figures: Record<string, Figures[string]> = {
      'put of bytes': { 'written at once': perCall(store, put(passedOn), keys, calls), copied: perCall(store, put(encoded), keys, calls) },
      'key() of bytes, copied': perKey(passedOn, keys, calls),
    }
    await store.close()
    figures[`event of ${EVENT_BYTES} bytes to a log`] = await events(join(folder, 'log'), calls)
    return figures
  },
}

/** Warmed up by a tenth. */
function perCall(store: CanonicalStore, call: (key: Uint8Array, tx: never) => void, keys: readonly Uint8Array[], calls: number): number {
  const run = (count: number): number => {
    const startedMs = performance.now()
    for (let n = 0; n < count; n += keys.length)
      store.apply((tx) => {
        for (const key of keys) call(key, tx as never)
      })
    return ((performance.now() - startedMs) * 1e6) / count
  }
  run(calls / 10)
  return run(calls)
}

function perKey(things: Things, keys: readonly Uint8Array[], calls: number): number {
  const startedMs = performance.now()
  for (let n = 0; n < calls; n++) things.key(keys[n % keys.length] as Uint8Array)
  return ((performance.now() - startedMs) * 1e6) / calls
}

async function events(folder: string, calls: number): Promise<Readonly<Record<string, number>>> {
  const log = await EventLog.open(folder)
  const append = (bytes: Uint8Array): number => {
    const startedMs = performance.now()
    for (let n = 0; n < calls / QUICK_PART; n++) log.appendWithId(log.nextEventId, bytes)
    return ((performance.now() - startedMs) * 1e6) / (calls / QUICK_PART)
  }
  append(new Uint8Array(EVENT_BYTES))
  const figures = { 'written at once': append(new Uint8Array(EVENT_BYTES)), copied: append(new Uint8Array(new SharedArrayBuffer(EVENT_BYTES))) }
  await log.close()
  return figures
}
