// Damaged folders, opened and read in a separate process: the right data or a documented error. Never a signal, a hang or a wrong value.
// A damaged file of LMDB's, whose pages have no checksums, is opened only when a verification of all its pages has found nothing.
//
//   LEDGERSTONE_MUTATIONS=20000 LEDGERSTONE_SEED=… npm test -- __test__/crash/damage.spec.ts
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { runChild } from '../support/child.ts'
import { Random, runSeed } from '../support/random.ts'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'
import { crc32c } from './crc32c.ts'
import { codeOf, COMMITS, damage, FLUSH_AFTER, type Sample } from './examination.ts'
import type { Injury } from './injury.ts'
import { filesOf, mutations, STATE_FILE } from './mutations.ts'

const MUTATIONS = Number(process.env['LEDGERSTONE_MUTATIONS'] ?? 200)

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
  const sample = (): Sample => (end === 'closed' ? closed() : { path: samples.killed, fewest: COMMITS - 1, newest: inUse(samples.killed).at(-1) })

  test.serial(`${end}: what is flipped, zeroed, cut, swapped or duplicated anywhere is an error or harmless`, async (t) => {
    const [seed, count] = [runSeed(), MUTATIONS / 2]
    t.log(`seed ${seed}`)
    const found = await damage(t, sample(), mutations(samples[end], new Random(seed), count))
    t.true(found.filter((finding) => 'code' in finding).length > count / 10, 'some were noticed')
    t.true(found.filter((finding) => 'commits' in finding).length > count / 20, 'and some did not matter')
  })

  test.serial(`${end}: a file of any shorter length is an error or harmless`, async (t) => {
    await damage(
      t,
      sample(),
      filesOf(samples[end]).flatMap((file) => cuts(samples[end], file)),
    )
  })

  test.serial(`${end}: a missing file is an error or harmless`, async (t) => {
    const files = filesOf(samples[end])
    const found = await damage(
      t,
      sample(),
      files.map((file) => ({ kind: 'remove', file })),
    )
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
  const found = await damage(
    t,
    closed(),
    added.map((file) => ({ kind: 'add', file, base64: junk })),
  )
  t.deepEqual(
    found.map((finding) => 'commits' in finding),
    added.map(() => true),
  )
})

test.serial('files that are not ours in the place of ours are refused', async (t) => {
  const junk = Buffer.from('#!/bin/sh\necho this is not a store of ours\n'.repeat(200)).toString('base64')
  const files = ['IDENTITY', STATE_FILE, ...filesOf(samples.closed).filter((file) => file.startsWith('events/')), ...inUse(samples.closed)]
  const found = await damage(
    t,
    closed(),
    files.map((file) => ({ kind: 'replace', file, base64: junk })),
  )
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
