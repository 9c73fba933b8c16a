// Flipped bits in the files of a log: the right events or ERR_CORRUPT with file and offset, never an event that is wrong or missing without a word.
// Elsewhere a damaged middle was read as the end, and acknowledged writes were lost over days with only a warning.
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { CorruptionError, FormatError } from '../../src/index.ts'
import { EventLog, type EventLogOptions } from '../../src/event-log/index.ts'
import { Random, runSeed } from '../support/random.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { appendUpTo, idsOf, openLog, SMALL_SEGMENTS, span } from './log-folder.ts'

const ROUNDS = 150
const EVENTS = 120
const BATCH = 20

/** What of a log can be read: its ids, or the damage that was met, by opening or by reading. */
interface Reading {
  readonly ids: number[]
  readonly damage?: CorruptionError | FormatError
  readonly torn: boolean
  readonly verified: boolean
}

async function readAll(t: ExecutionContext, folder: string): Promise<Reading> {
  let log: EventLog | undefined
  const ids: number[] = []
  let verified = false
  try {
    log = await EventLog.open(folder, SMALL_SEGMENTS)
    verified = (await log.verify()).ok
    for (const event of log.iterRange(0)) ids.push(...idsOf([event]))
    for (const id of span(1, EVENTS)) if (log.get(id) === undefined && id < log.nextEventId) throw new Error(`event ${id} is missing`)
    return { ids, torn: log.recovery.tornTail !== undefined, verified }
  } catch (damage) {
    if (damage instanceof FormatError) return { ids, damage, torn: false, verified }
    if (!(damage instanceof CorruptionError)) throw damage
    t.true(damage.file.startsWith(folder) && Number.isSafeInteger(damage.offset), damage.message)
    t.false(verified, 'a verification misses what reading meets')
    return { ids, damage, torn: false, verified }
  } finally {
    await log?.close().catch(() => {})
  }
}

/** A folder with a log of closed segments and an active one, closed or as a kill would leave it. */
async function sample(t: ExecutionContext, ends: 'closed' | 'killed', options: EventLogOptions): Promise<string> {
  const folder = join(temporaryFolder(t), 'sample')
  // What was flushed is promised; of what was only written a power cut may leave any part, and opening cannot tell that from rot.
  const log = await openLog(t, { ...SMALL_SEGMENTS, durability: ends === 'killed' ? 'durable' : 'written', ...options })
  appendUpTo(log, 60, BATCH)
  await log.rotate()
  appendUpTo(log, EVENTS, BATCH)
  const { path } = log
  if (ends === 'closed') await log.close()
  cpSync(path, folder, { recursive: true })
  return folder
}

function flip(file: string, offset: number, bit: number): void {
  const bytes = readFileSync(file)
  bytes.writeUInt8(bytes.readUInt8(offset) ^ (1 << bit), offset)
  writeFileSync(file, bytes)
}

/** The number of the format stands before the checksum that covers it: another one may be that of a newer version. */
function isFormatOf(file: string, offset: number): boolean {
  return file.endsWith('.log') && (offset === 8 || offset === 9)
}

test('a bit in the head of a segment is ERR_CORRUPT, or ERR_FORMAT in the number of the format', async (t) => {
  const folder = await sample(t, 'killed', {})
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.log'))
    .toSorted()
  for (const name of [files[0] as string, files.at(-1) as string]) {
    const file = join(folder, name)
    for (const offset of span(0, 47)) {
      flip(file, offset, offset % 8)
      const { ids, damage } = await readAll(t, folder)
      t.deepEqual([ids, damage?.code], [[], isFormatOf(file, offset) ? 'ERR_FORMAT' : 'ERR_CORRUPT'], `${name} byte ${offset}`)
      flip(file, offset, offset % 8)
    }
  }
  const { ids, torn, verified } = await readAll(t, folder)
  t.deepEqual([ids, torn, verified], [span(1, EVENTS), false, true], 'opening has changed nothing')
})

for (const ends of ['closed', 'killed'] as const) {
  test(`a log that was ${ends}: the right events or ERR_CORRUPT`, async (t) => {
    const seed = runSeed()
    const random = new Random(seed)
    const place = temporaryFolder(t)
    let damages = 0
    for (const compression of ['none', 'lz4', 'zstd'] as const) {
      const whole = await sample(t, ends, { compression })
      const files = readdirSync(whole).filter((name) => name.endsWith('.log') || name === 'IDENTITY')
      const newest = files
        .filter((name) => name.endsWith('.log'))
        .toSorted()
        .at(-1)
      for (let round = 0; round < ROUNDS / 3; round++) {
        const folder = join(place, `${compression}-${round}`)
        cpSync(whole, folder, { recursive: true })
        const file = join(folder, random.pick(files))
        const [offset, bit] = [random.below(statSync(file).size), random.below(8)]
        const where = `seed ${seed}: ${compression} ${basename(file)} byte ${offset} bit ${bit}`
        flip(file, offset, bit)
        const { ids, damage, torn } = await readAll(t, folder)
        if (damage !== undefined) {
          damages++
          t.deepEqual(ids, span(1, ids.length), where)
          if (damage instanceof FormatError) t.true(isFormatOf(file, offset), where)
        } else if (torn) {
          t.deepEqual([basename(file), ids], [newest, span(1, ids.length)], where)
          // What a closed log may lose is the footer of its newest segment, which the next opening replaces.
          if (ends === 'closed') t.is(ids.length, EVENTS, where)
          // No later frame tells that the last flush's frames were flushed, of which those before the damage are kept.
          else t.true(ids.length >= EVENTS - BATCH && ids.length < EVENTS, where)
        } else {
          t.deepEqual(ids, span(1, EVENTS), where)
        }
      }
    }
    t.log(`${damages} of ${ROUNDS} flips are ERR_CORRUPT, seed ${seed}`)
    t.true(damages > ROUNDS / 4, `${damages}`)
  })
}

test('an open log meets damage where it is, and goes on elsewhere', async (t) => {
  const log = await openLog(t)
  appendUpTo(log, 60)
  const sealed = (await log.rotate()) as string
  appendUpTo(log, EVENTS)
  const active = readdirSync(log.path)
    .filter((name) => name.endsWith('.log'))
    .toSorted()
    .at(-1) as string
  flip(sealed, 4_200, 3)
  flip(join(log.path, active), 4_200, 3)
  for (const [file, first] of [
    [sealed, 1],
    [join(log.path, active), 61],
  ] as const) {
    const error = t.throws(() => [...log.iterRange(first)], { instanceOf: CorruptionError })
    t.deepEqual([error.code, error.file], ['ERR_CORRUPT', file])
    t.true(error.offset >= 4_096 && error.offset <= 4_200, error.message)
  }
  t.deepEqual(idsOf(log.iterRange(30, 61)), span(30, 60))
  const { ok, problems } = await log.verify()
  t.false(ok)
  t.deepEqual(new Set(problems.map(({ file }) => file)), new Set([sealed, join(log.path, active)]))
  appendUpTo(log, EVENTS + 5)
  t.deepEqual(idsOf(log.iterRange(100)), span(100, EVENTS + 5))
})
