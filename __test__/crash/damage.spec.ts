// Damaged folders, opened and read in a process of their own: the right data or a documented error. Never a signal, a hang or a wrong value.
// Left out are the inner pages of LMDB's file, which have no checksums (its values do).
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Child, runChild } from '../support/child.ts'
import { Random, runSeed } from '../support/random.ts'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'
import { crc32c } from './crc32c.ts'
import type { Finding } from './examine.ts'
import { describe, type Injury } from './injury.ts'

const EXAMINE = new URL('examine.ts', import.meta.url)
const FLIPS = Number(process.env['LEDGERSTONE_FLIPS'] ?? 200)
const COMMITS = 330
const FLUSH_AFTER = 180
const LIMIT_MS = 30_000
const META_PAGES_BYTES = 8192
const STATE_FILE = 'state/data.mdb'

/** A store to be damaged. With so many commits at least, whatever is damaged; but what only `newest`, a journal file, knows goes with it. */
interface Sample { readonly path: string; readonly fewest: number; readonly newest?: string | undefined }

const samples = { closed: '', killed: '' }

const closed = (): Sample => ({ path: samples.closed, fewest: COMMITS })

test.before(async () => {
  for (const end of ['closed', 'killed'] as const) {
    samples[end] = makeTemporaryFolder()
    const args = [samples[end], String(COMMITS), String(FLUSH_AFTER), end === 'killed' ? 'kill' : 'close']
    const { code, signal, stderr } = await runChild(new URL('make-sample.ts', import.meta.url), { args })
    if (end === 'killed' ? signal !== 'SIGKILL' : code !== 0) throw new Error(stderr)
  }
})
test.after.always(() => {
  for (const path of Object.values(samples)) rmSync(path, { recursive: true, force: true })
})

for (const end of ['closed', 'killed'] as const) {
  // The newest group of a killed store has no witness yet: damaged, it counts as a torn tail.
  const sample = (): Sample =>
    end === 'closed' ? closed() : { path: samples.killed, fewest: COMMITS - 1, newest: inUse(samples.killed).at(-1) }

  test.serial(`${end}: a flipped bit anywhere is an error or harmless`, async (t) => {
    const seed = runSeed()
    t.log(`seed ${seed}`)
    const found = await damage(t, sample(), flips(samples[end], new Random(seed), FLIPS))
    t.true(found.filter((finding) => 'code' in finding).length > FLIPS / 20, 'some were noticed')
    t.true(found.filter((finding) => 'commits' in finding).length > FLIPS / 20, 'and some did not matter')
  })

  test.serial(`${end}: a file of any shorter length is an error or harmless`, async (t) => {
    await damage(t, sample(), filesOf(samples[end]).flatMap((file) => cuts(samples[end], file)))
  })

  test.serial(`${end}: a missing file is an error or harmless`, async (t) => {
    const files = filesOf(samples[end])
    const found = await damage(t, sample(), files.map((file) => ({ kind: 'remove', file })))
    const needed = (file: string): boolean => file === 'IDENTITY' || file.startsWith('events/') || inUse(samples[end]).includes(file)
    files.forEach((file, i) => {
      if (file === sample().newest) t.true((found[i] as { commits: number }).commits < COMMITS)
      else if (needed(file)) t.is(codeOf(found[i]), 'ERR_CORRUPT', file)
      else if (file !== STATE_FILE) t.is((found[i] as { commits: number }).commits, COMMITS, file) // which a journal from seq 1 on replaces
    })
  })
}

test.serial('files that are not ours do no harm beside ours', async (t) => {
  const junk = Buffer.from('not a store').toString('base64')
  const added = ['notes.txt', 'journal/notes.txt', 'journal/journal-9.wal', 'events/notes.txt', 'events/events-00000000000000000001.log.bak', 'state/notes.txt']
  const found = await damage(t, closed(), added.map((file) => ({ kind: 'add', file, base64: junk })))
  t.deepEqual(found.map((finding) => 'commits' in finding), added.map(() => true))
})

test.serial('files that are not ours in the place of ours are refused', async (t) => {
  const junk = Buffer.from('#!/bin/sh\necho this is not a store of ours\n'.repeat(200)).toString('base64')
  const files = ['IDENTITY', STATE_FILE, ...filesOf(samples.closed).filter((file) => file.startsWith('events/')), ...inUse(samples.closed)]
  const found = await damage(t, closed(), files.map((file) => ({ kind: 'replace', file, base64: junk })))
  files.forEach((file, i) => t.is(codeOf(found[i]), file === 'IDENTITY' ? 'ERR_FORMAT' : 'ERR_CORRUPT', file))
})

test.serial('a newer format is ERR_FORMAT, and names both versions', async (t) => {
  const segment = filesOf(samples.closed).find((file) => file.startsWith('events/')) as string
  const journal = inUse(samples.closed)[0] as string
  const injuries = [
    newer(samples.closed, 'IDENTITY', (bytes) => [0, bytes.length - 4]),
    newer(samples.closed, segment, () => [0, 44]),
    newer(samples.closed, journal, () => [0, 54]),
  ]
  const found = await damage(t, closed(), injuries)
  for (const [i, finding] of found.entries()) {
    t.is(codeOf(finding), 'ERR_FORMAT', injuries[i]?.file)
    t.regex((finding as { message: string }).message, /found=7 supported=1/)
  }
})

/** Examines a copy of the sample for each injury and judges what was found. */
async function damage(t: ExecutionContext, sample: Sample, injuries: readonly Injury[]): Promise<Finding[]> {
  t.timeout(injuries.length * LIMIT_MS)
  const found = await examineAll(sample.path, injuries)
  const wrong = found.flatMap((finding, i) => {
    const injury = injuries[i] as Injury
    const problem = problemOf(sample, injury, finding)
    return problem === undefined ? [] : [`${describe(injury)}: ${problem}`]
  })
  t.deepEqual(wrong, [])
  const codes = found.map((finding) => codeOf(finding) ?? ('commits' in finding ? `${finding.commits} commits` : 'wrong'))
  t.log([...new Set(codes)].map((code) => `${codes.filter((other) => other === code).length} × ${code}`).join(', '))
  return found
}

function problemOf(sample: Sample, injury: Injury, finding: Finding): string | undefined {
  if ('wrong' in finding) return finding.wrong
  if ('commits' in finding) {
    // No other file witnesses its end; what it lost is the newest commits, whole.
    if (injury.file === sample.newest && injury.kind !== 'flip' && finding.commits >= FLUSH_AFTER) return undefined
    if (finding.commits < sample.fewest || finding.commits > COMMITS) return `${finding.commits} commits, ${finding.bytesCut} bytes cut`
    return finding.commits < COMMITS && finding.bytesCut === 0 ? 'a tail was cut without a word' : undefined
  }
  if (finding.code === 'ERR_FORMAT') return finding.name === 'FormatError' ? undefined : `${finding.code} is a ${finding.name}`
  if (finding.code !== 'ERR_CORRUPT') return `${finding.code}: ${finding.message}`
  if (finding.name !== 'CorruptionError') return `${finding.code} is a ${finding.name}`
  if (typeof finding.file !== 'string' || typeof finding.offset !== 'number') return `no file or offset: ${finding.message}`
  return undefined
}

/** One process for as many injuries as it survives; the one that it dies of is told as such, and the next process goes on behind it. */
async function examineAll(sample: string, injuries: readonly Injury[]): Promise<Finding[]> {
  const work = makeTemporaryFolder()
  const list = join(work, 'injuries.json')
  writeFileSync(list, JSON.stringify(injuries))
  const found: Finding[] = []
  while (found.length < injuries.length) {
    const { ended, lastBegun } = await examineFrom(sample, work, list, found)
    if (found.length === injuries.length) break
    found[lastBegun] ??= { wrong: ended }
    if (lastBegun < 0) throw new Error(ended)
  }
  rmSync(work, { recursive: true, force: true })
  return found
}

async function examineFrom(sample: string, work: string, list: string, found: Finding[]): Promise<{ ended: string; lastBegun: number }> {
  let lastBegun = -1
  let idle: NodeJS.Timeout | undefined
  let hung = false
  const child: Child = new Child(EXAMINE, {
    args: [sample, work, list, String(found.length)],
    limitMs: 3_600_000,
    onReport: (line) => {
      const [kind, index] = line.split(' ', 2) as [string, string]
      if (kind === 'begin') lastBegun = Number(index)
      else found[Number(index)] = JSON.parse(line.slice(kind.length + index.length + 2)) as Finding
      clearTimeout(idle)
      idle = setTimeout(() => {
        hung = true
        child.kill('SIGKILL')
      }, LIMIT_MS)
    },
  })
  const { code, signal, stderr } = await child.ended
  clearTimeout(idle)
  return { ended: hung ? `hung for ${LIMIT_MS} ms` : `died: code=${code} signal=${signal} ${stderr}`, lastBegun }
}

/** Half of them anywhere, half where something is written: most of a journal file is blank. */
function flips(folder: string, random: Random, count: number): Injury[] {
  const files = filesOf(folder).filter((file) => file !== 'state/lock.mdb')
  const contents = new Map(files.map((file) => [file, readFileSync(join(folder, file)).subarray(0, file === STATE_FILE ? META_PAGES_BYTES : undefined)]))
  const written = files.map((file) => ({ file, offsets: writtenBytes(contents.get(file) as Buffer) })).filter(({ offsets }) => offsets.length > 0)
  const nonEmpty = files.filter((file) => (contents.get(file) as Buffer).length > 0)
  return Array.from({ length: count }, (_, i) => {
    if (i % 2 === 0) {
      const file = random.pick(nonEmpty)
      return { kind: 'flip', file, offset: random.below((contents.get(file) as Buffer).length), bit: random.below(8) }
    }
    const { file, offsets } = random.pick(written)
    return { kind: 'flip', file, offset: random.pick(offsets), bit: random.below(8) }
  })
}

function writtenBytes(bytes: Buffer): number[] {
  const offsets: number[] = []
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) offsets.push(i)
  return offsets
}

function cuts(folder: string, file: string): Injury[] {
  const { length } = readFileSync(join(folder, file))
  const lengths = [0, 1, 7, 40, 4095, 4096, 4097, 8192, Math.floor(length / 4), Math.floor(length / 2), length - 4096, length - 9, length - 1]
  return [...new Set(lengths)].filter((cut) => cut >= 0 && cut < length).map((cut) => ({ kind: 'cut', file, length: cut }))
}

/** The file with version 7 in its head and a checksum that agrees. */
function newer(folder: string, file: string, covered: (bytes: Buffer) => [from: number, to: number]): Injury {
  const bytes = readFileSync(join(folder, file))
  bytes.writeUInt16LE(7, 8)
  const [from, to] = covered(bytes)
  bytes.writeUInt32LE(crc32c(bytes.subarray(from, to)), to)
  return { kind: 'replace', file, base64: bytes.toString('base64') }
}

/** The journal files that are no spares: those whose head bears the number of their name. */
function inUse(folder: string): string[] {
  return filesOf(folder).filter((file) => {
    const number = /^journal\/journal-(\d{20})\.wal$/.exec(file)?.[1]
    if (number === undefined) return false
    const head = readFileSync(join(folder, file)).subarray(0, 58)
    return head.toString('latin1', 0, 8) === 'LGST-JRN' && head.readBigUInt64LE(26) === BigInt(number)
  })
}

function filesOf(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .toSorted()
}

function codeOf(finding: Finding | undefined): string | undefined {
  return finding !== undefined && 'code' in finding ? finding.code : undefined
}
