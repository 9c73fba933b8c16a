// How long a new store takes to open, and what it takes of the disk before anything is in it.
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { open } from 'ledgerstone'
import type { Probe } from '../child.ts'

const STORES = 15

export const probe: Probe = {
  title: 'a new store',
  async run(folder) {
    const openMs: number[] = []
    const diskKiB: number[] = []
    for (let i = 0; i < STORES; i++) {
      const path = join(folder, String(i))
      const startedMs = performance.now()
      const store = await open(path)
      openMs.push(performance.now() - startedMs)
      diskKiB.push(allocatedBytes(path) / 1024)
      await store.close()
    }
    openMs.sort((a, b) => a - b)
    return {
      'open, median ms (bound: 20)': openMs[STORES >> 1] ?? 0,
      'open, slowest ms': openMs.at(-1) ?? 0,
      'on disk while open, KiB (bound: 4,096)': Math.max(...diskKiB),
    }
  },
}

/** What it really takes: sparse files and preallocated blocks are counted as the file system counts them. */
function allocatedBytes(path: string): number {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(join(path, name), { throwIfNoEntry: false })) // the journal may be renaming one
    .reduce((sum, file) => sum + (file?.blocks ?? 0) * 512, 0)
}
