// What it costs that the event loop has its turns while one commit after another is awaited: how many there are, how far apart, what one takes.
import { setImmediate as turn } from 'node:timers/promises'
import { join } from 'node:path'
import { binary, open, type CanonicalStore, type Durability } from 'ledgerstone'
import type { Figures, Probe } from '../child.ts'
import { VALUE_BYTES, Random } from '../peer.ts'

const COMMITS: Readonly<Record<Durability, number>> = { durable: 5_000, written: 50_000, applied: 500_000 }
const QUICK_PART = 50
const QUICK_RECORDS = 100_000
const IDLE_TURNS = 100_000

export const probe: Probe = {
  title: 'turns of the event loop while lone commits are awaited',
  async run(folder, size) {
    const figures: Record<string, Figures[string]> = {}
    const turnNs = await idleTurnNs()
    figures['a turn of an idle loop, ns'] = turnNs
    for (const durability of Object.keys(COMMITS) as Durability[]) {
      const store = await open(join(folder, durability))
      const count = size.records < QUICK_RECORDS ? COMMITS[durability] / QUICK_PART : COMMITS[durability]
      await loop(store, durability, count) // warms up
      const { turns, longestMs, tookMs } = await loop(store, durability, count)
      await store.close()
      figures[durability] = {
        'turns per 1,000 commits': (turns * 1000) / count,
        'longest without one, ms': longestMs,
        'their part of the time, %': (turns * turnNs) / tookMs / 1e4,
      }
    }
    return figures
  },
}

async function idleTurnNs(): Promise<number> {
  const startedMs = performance.now()
  for (let n = 0; n < IDLE_TURNS; n++) await turn()
  return ((performance.now() - startedMs) * 1e6) / IDLE_TURNS
}

async function loop(store: CanonicalStore, durability: Durability, count: number): Promise<{ turns: number; longestMs: number; tookMs: number }> {
  const values = store.collection('values', { value: binary() })
  const value = new Random(7).bytes(VALUE_BYTES)
  let turns = 0
  let longestMs = 0
  let lastMs = performance.now()
  const startedMs = lastMs
  // A timer counts a turn in each millisecond at the most, and makes none: an immediate would keep the loop from waiting.
  const timer = setInterval(() => {
    const nowMs = performance.now()
    longestMs = Math.max(longestMs, nowMs - lastMs)
    lastMs = nowMs
    turns++
  }, 0)
  for (let n = 0; n < count; n++) await values.put(`key ${n % 1000}`, value, { durability })
  clearInterval(timer)
  return { turns, longestMs, tookMs: performance.now() - startedMs }
}
