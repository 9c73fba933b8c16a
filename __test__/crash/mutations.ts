// Random damage of all kinds, the same for the same seed: half of it to LMDB's file, half to our own files. Places are half anywhere, half where
// something is written, since most of a journal file is blank; of pages and of ranges.
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Random } from '../support/random.ts'
import type { Injury } from './injury.ts'

export const STATE_FILE = 'state/data.mdb'
const PAGE = 4096

interface Target {
  readonly file: string
  readonly bytes: Buffer
  readonly written: readonly number[]
}
interface Place {
  readonly file: string
  readonly offset: number
  readonly length: number
}

/** `count` mutations of the store in `folder`. */
export function mutations(folder: string, random: Random, count: number): Injury[] {
  const targets = filesOf(folder)
    .map((file) => targetOf(folder, file))
    .filter(({ bytes }) => bytes.length > 0)
  const state = targets.filter(({ file }) => file === STATE_FILE)
  const own = targets.filter(({ file }) => file !== STATE_FILE)
  return Array.from({ length: count }, (_, i) => mutation(random, random.pick(i % 2 === 0 ? state : own), targets))
}

/** The files of a store, by their paths within it. */
export function filesOf(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .toSorted()
}

function mutation(random: Random, target: Target, targets: readonly Target[]): Injury {
  const { file } = target
  switch (random.below(6)) {
    case 0:
    case 1:
      return { kind: 'flip', file, offset: offsetIn(random, target), bit: random.below(8) }
    case 2:
      return { kind: 'zero', ...placeIn(random, target) }
    case 3:
      return { kind: 'cut', file, length: random.oneIn(2) ? random.below(target.bytes.length) : PAGE * random.below(Math.ceil(target.bytes.length / PAGE)) }
    case 4:
      return { kind: 'swap', ...pair(random, target, targets) }
    default:
      if (random.oneIn(8)) return { kind: 'overwrite', file, from: random.pick(targets.filter((other) => other !== target)).file }
      return { kind: 'duplicate', ...pair(random, target, targets) }
  }
}

/** Two places of the same length, mostly in the same file. */
function pair(random: Random, target: Target, targets: readonly Target[]): Place & { from: string; at: number } {
  const here = placeIn(random, target)
  const other = random.oneIn(3) ? random.pick(targets) : target
  const at = here.offset % PAGE === 0 ? pageIn(random, other) : offsetIn(random, other)
  return { ...here, from: other.file, at }
}

/** A page, some pages, or a range of any length. */
function placeIn(random: Random, target: Target): Place {
  const { file } = target
  if (random.oneIn(2)) return { file, offset: pageIn(random, target), length: PAGE * (random.oneIn(4) ? 1 + random.below(8) : 1) }
  return { file, offset: offsetIn(random, target), length: 1 + random.below(random.pick([8, 64, 1000, 20_000])) }
}

function pageIn(random: Random, target: Target): number {
  return PAGE * Math.floor(offsetIn(random, target) / PAGE)
}

function offsetIn(random: Random, { bytes, written }: Target): number {
  return random.oneIn(2) && written.length > 0 ? random.pick(written) : random.below(bytes.length)
}

function targetOf(folder: string, file: string): Target {
  const bytes = readFileSync(join(folder, file))
  const written: number[] = []
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) written.push(i)
  return { file, bytes, written }
}
