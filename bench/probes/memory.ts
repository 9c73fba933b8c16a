// What five million commits leave in memory: the loop applies and only now and then waits for room, as `transact` does by itself.
import { readFileSync } from 'node:fs'
import { binary, open } from 'ledgerstone'
import type { Probe } from '../child.ts'
import { Random, VALUE_BYTES, keysFor } from '../peer.ts'

const COMMITS = 5_000_000
const COMMITS_WHEN_QUICK = 200_000
const QUICK_RECORDS = 100_000
const PER_TURN = 500

export const probe: Probe = {
  title: 'memory while a loop applies commits',
  async run(folder, size) {
    const store = await open(folder, { events: binary() })
    const records = store.collection('records', { key: binary(), value: binary() })
    const keys = keysFor(Math.min(size.records, 1_000_000))
    const value = new Random(6).bytes(VALUE_BYTES)
    const commits = size.records < QUICK_RECORDS ? COMMITS_WHEN_QUICK : COMMITS
    const before = ownBytes()
    let most = before
    let mostDeltaBytes = 0
    const startedMs = performance.now()
    for (let i = 0; i < commits; i += PER_TURN) {
      let last: Promise<unknown> | undefined
      for (let j = i; j < i + PER_TURN; j++) last = store.transact((tx) => tx.put(records, keys[j % keys.length]!, value), { durability: 'applied' })
      await last
      most = Math.max(most, ownBytes())
      mostDeltaBytes = Math.max(mostDeltaBytes, store.stats().delta.bytes)
    }
    const ms = performance.now() - startedMs
    await store.flush()
    globalThis.gc?.()
    const after = ownBytes()
    await store.close()
    const mib = (bytes: number): number => bytes / 2 ** 20
    return {
      commits,
      'commits per second': (commits * 1000) / ms,
      'own memory before, MiB': mib(before),
      'own memory at most, MiB': mib(most),
      'own memory when flushed, MiB': mib(after),
      'unflushed at most, MiB': mib(mostDeltaBytes),
    }
  },
}

/** Resident memory that belongs to the process. Pages of LMDB's mapped file are the kernel's to take back and do not count, where it tells. */
function ownBytes(): number {
  if (process.platform !== 'linux') return process.memoryUsage.rss()
  const anonymous = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))
  return Number(anonymous?.[1] ?? 0) * 1024
}
