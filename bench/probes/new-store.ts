// How long a new store takes to open, and what it takes of the disk before anything is in it.
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { open } from 'ledgerstone'
import type { Probe } from '../child.ts'

const STORES = 15
const OPEN_MS = 'open, median ms'
const DISK_KIB = 'on disk while open, KiB'

export const probe: Probe = {
  title: 'a new store',
  targets: [
    { figure: OPEN_MS, must: 20, aim: 20, better: 'less' },
    { figure: DISK_KIB, must: 4096, aim: 4096, better: 'less' },
  ],
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
      [OPEN_MS]: openMs[STORES >> 1] ?? 0,
      'open, slowest ms': openMs.at(-1) ?? 0,
      [DISK_KIB]: Math.max(...diskKiB),
    }
  },
}

/** What it really takes: sparse files and preallocated blocks are counted as the file system counts them. */
function allocatedBytes(path: string): number {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(join(path, name), { throwIfNoEntry: false })) // the journal may be renaming one
    .reduce((sum, file) => sum + (file?.blocks ?? 0) * 512, 0)
}
