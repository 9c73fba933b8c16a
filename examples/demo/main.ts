// The demo: three million real flights become events and state, one transaction for each departure minute. Half way the writing process
// is killed; the store is opened again, goes on behind its last event, and in the end has to prove that nothing is missing or double.
//
//   npm run demo -- [--rows N] [--durability applied|written|durable]
import { fork, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Durability } from 'ledgerstone'
import { endsBehindTransaction, prove } from './check.ts'
import { FILE_ROWS, decodeParquet, saveFlights, type Flights } from './flights.ts'
import type { Report } from './ingest.ts'
import { askQuestions } from './questions.ts'
import { openFlightStore } from './schema.ts'
import { ProgressBar, count, heading, megabytes, perSecond, proved, say, seconds, style, table } from './terminal.ts'

type Opened = Extract<Report, { kind: 'opened' }>
type Figures = Exclude<Report, Opened>

interface Run {
  readonly opened: Opened
  /** The last it told us. */
  readonly figures: Figures
  readonly ms: number
}

const { values } = parseArgs({
  options: { rows: { type: 'string', default: String(FILE_ROWS) }, durability: { type: 'string', default: 'durable' } },
})
const rows = Number(values.rows)
if (!Number.isInteger(rows) || rows < 1 || rows > FILE_ROWS) throw new Error(`--rows is 1 to ${FILE_ROWS}`)
const durability = (['applied', 'written', 'durable'] as const).find((level) => level === values.durability)
if (durability === undefined) throw new Error('--durability is applied, written or durable')

const beganMs = performance.now()
const folder = mkdtempSync(join(tmpdir(), 'ledgerstone-demo-'))
try {
  await demo(durability)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function demo(level: Durability): Promise<void> {
  heading(`Reading ${count(rows)} flights of vega-datasets`)
  const decodingMs = performance.now()
  const flights = await decodeParquet(rows)
  const flightsFile = join(folder, 'flights.bin')
  saveFlights(flightsFile, flights)
  const decodedMs = performance.now() - decodingMs
  say(`decoded in ${seconds(decodedMs)}, ${perSecond(rows, decodedMs)}: ${count(flights.airports.length)} airports, ordered by departure`)

  const path = join(folder, 'store')
  heading(`Writing, each commit ${level}; the process kills itself half way`)
  const first = await ingest(level, path, flightsFile, Math.floor(rows / 2))
  say(`${style('red', 'SIGKILL')} after ${count(first.figures.acknowledged)} acknowledged events`)

  heading('Opening the store that it left behind')
  const second = await ingest(level, path, flightsFile, undefined, (opened) => showRecovered(opened, first.figures.acknowledged, level, flights))
  const { opened } = second

  heading('Checking')
  const provingMs = performance.now()
  const flightStore = await openFlightStore(path, level)
  const proof = prove(flightStore, flights)
  const provedMs = performance.now() - provingMs
  proved(`all ${count(proof.events)} events read back are the flights of the file, in order, none missing, none double`)
  proved(`${count(proof.totals)} totals of airports, routes, hours and days equal a fold over those events`)
  proved('and equal what a plain loop over the file computes')
  proved(`${count(proof.indexEntries)} index entries point at their events`)
  say(style('dim', `in ${seconds(provedMs)}, ${perSecond(proof.events, provedMs)}`))

  askQuestions(flightStore)

  const { levels, events, state } = flightStore.store.stats()
  await flightStore.store.close()
  const writingMs = first.ms + second.ms
  const flushes = first.figures.flushes + second.figures.flushes
  const disk = bytesOf(path)
  heading('Figures')
  table(
    ['', 'total', 'rate while writing'],
    [
      ['commits', levels.applied, perSecond(levels.applied, writingMs)],
      ['events', events.count, perSecond(events.count, writingMs)],
      ['flushes', flushes, perSecond(flushes, writingMs)],
      ['event log', megabytes(events.bytes), `${megabytes(events.bytes / (writingMs / 1000))}/s`],
      ['state', megabytes(state.bytes), `${megabytes(state.bytes / (writingMs / 1000))}/s`],
      ['on disk', megabytes(disk), ''],
      ['writing', seconds(writingMs), ''],
      ['recovery', seconds(opened.ms), `${count(opened.frames)} commits from the journal`],
      ['everything', seconds(performance.now() - beganMs), ''],
    ],
  )
}

/** Fills the store in a child process, which kills itself once `killAt` events have been acknowledged. */
async function ingest(level: Durability, path: string, flightsFile: string, killAt: number | undefined, onOpened?: (opened: Opened) => void): Promise<Run> {
  const child = fork(
    fileURLToPath(new URL(`ingest${extname(import.meta.url)}`, import.meta.url)),
    [path, flightsFile, level, ...(killAt === undefined ? [] : [String(killAt)])],
    { stdio: 'inherit' },
  )
  let opened: Opened | undefined
  let figures: Figures | undefined
  let bar: ProgressBar | undefined
  let openedMs = 0
  child.on('message', (report: Report) => {
    if (report.kind === 'opened') {
      opened = report
      openedMs = performance.now()
      onOpened?.(report)
      bar = new ProgressBar(rows)
      return
    }
    figures = report
    const ms = performance.now() - openedMs
    const done = report.acknowledged - (opened?.events ?? 0)
    const commits = report.commits - (opened?.commits ?? 0)
    const note = `${count(report.acknowledged)} events  ${perSecond(done, ms)}  ${perSecond(commits, ms)} commits  ${count(report.flushes)} flushes`
    bar?.update(report.acknowledged, note)
  })
  const { code, signal } = await ended(child)
  const ms = bar?.end() ?? 0
  if (opened === undefined || figures === undefined) throw new Error('the writing process ended before it reported')
  const asPlanned = killAt === undefined ? code === 0 : signal === 'SIGKILL'
  if (!asPlanned) throw new Error(`the writing process ended with ${signal ?? code}`)
  return { opened, figures, ms }
}

function showRecovered({ events, ms, commits, frames, bytesCut }: Opened, acknowledged: number, level: Durability, flights: Flights): void {
  say(`open after ${seconds(ms)}: ${count(commits)} commits, ${count(frames)} of them from the journal; ${count(bytesCut)} bytes of an unfinished write cut`)
  if (level !== 'applied' && events < acknowledged) throw new Error(`${acknowledged - events} acknowledged events are lost`)
  if (!endsBehindTransaction(flights, events)) throw new Error(`event ${events} is in the middle of a transaction`)
  if (events >= acknowledged) proved(`${count(events)} events: all that were acknowledged, and ${count(events - acknowledged)} that were under way`)
  else say(`${count(events)} events: ${count(acknowledged - events)} that were only applied are gone, as that level says`)
  proved('the last one ends a transaction: nothing is there by half')
  say(`going on with flight ${count(events + 1)}`)
}

function ended(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    // Its last messages may come after its end, but not after the channel's.
    const closed = new Promise((done) => void child.once('disconnect', done))
    child.once('exit', (code, signal) => void closed.then(() => resolve({ code, signal })))
  })
}

function bytesOf(path: string): number {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(join(path, name)))
    .reduce((sum, file) => sum + (file.isFile() ? file.blocks * 512 : 0), 0)
}
