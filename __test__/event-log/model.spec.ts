// Random lives of a log against an array: every step leaves both with the same events, and so does opening it again.
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { EventLog, type EventLogOptions } from '../../src/event-log/index.ts'
import { runSeed } from '../support/random.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const RUNS = 60

type Step =
  | { readonly kind: 'append'; readonly bytes: Uint8Array }
  | { readonly kind: 'batch'; readonly events: readonly Uint8Array[] }
  | { readonly kind: 'delete'; readonly share: number }
  | { readonly kind: 'rotate' | 'sync' }
  | { readonly kind: 'reopen'; readonly compression: 'none' | 'lz4' | 'zstd' }
  | { readonly kind: 'range'; readonly from: number; readonly to: number }

/** Empty, small, and large enough for segments of 16 KiB to fill; some compress and some do not. */
const bytes = fc.oneof(
  { weight: 4, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 2, arbitrary: fc.nat(255).map((fill) => new Uint8Array(3_000).fill(fill)) },
  { weight: 1, arbitrary: fc.nat(255).map((fill) => Uint8Array.from({ length: 9_000 }, (_, i) => (Math.imul(i + fill, 0x9e3779b1) >>> 13) & 255)) },
)
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('append' as const), bytes }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('batch' as const), events: fc.array(bytes, { maxLength: 30 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), share: fc.double({ min: 0, max: 1.1, noNaN: true }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('rotate' as const, 'sync' as const) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('reopen' as const), compression: fc.constantFrom('none' as const, 'lz4' as const, 'zstd' as const) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('range' as const), from: fc.nat(60), to: fc.nat(60) }) },
  ),
  { minLength: 5, maxLength: 40 },
)

/** The log, and what should be in it: the events from `oldest` on. */
class Pair {
  readonly #path: string
  oldest: number
  events: Buffer[] = []
  log: EventLog

  constructor(path: string, first: number, log: EventLog) {
    this.#path = path
    this.oldest = first
    this.log = log
  }

  get next(): number {
    return this.oldest + this.events.length
  }

  async run(step: Step): Promise<void> {
    switch (step.kind) {
      case 'append':
        this.log.appendWithId(this.next, step.bytes)
        this.events.push(Buffer.from(step.bytes))
        return
      case 'batch':
        this.log.appendBatchWithIds(this.next, step.events)
        this.events.push(...step.events.map((event) => Buffer.from(event)))
        return
      case 'delete': {
        const end = this.oldest + Math.floor(this.events.length * step.share) - 1
        if (end < this.oldest) return
        const gone = this.events.splice(0, end - this.oldest + 1).length
        equal(await this.log.deleteRange(this.oldest, end), gone, 'deleted')
        this.oldest += gone
        return
      }
      case 'rotate':
        equal((await this.log.rotate()) === undefined, this.events.length === 0, 'nothing to name')
        return
      case 'sync':
        return this.log.sync()
      case 'reopen':
        await this.log.close()
        this.log = await EventLog.open(this.#path, optionsOf(step.compression))
        equal(this.log.recovery.tornTail, undefined, 'torn tail')
        return
      case 'range':
        same([...this.log.iterRange(this.oldest + step.from, this.oldest + step.to)], this.oldest + step.from, this.events.slice(step.from, Math.max(step.from, step.to)))
    }
  }

  check(): void {
    const { log, oldest, next, events } = this
    const { eventCount, oldestEventId, newestEventId } = log.stats()
    equal(
      [log.oldestEventId, log.nextEventId, log.newestEventId, oldestEventId, newestEventId, eventCount].join(),
      [oldest, next, next - 1, oldest, next - 1, events.length].join(),
      'numbers',
    )
    same([...log.iterRange(0)], oldest, events)
    for (const id of [oldest - 1, oldest, next - 1, next]) {
      if (id < 0) continue
      const expected = events[id - oldest]
      const found = log.get(id)
      if (expected === undefined) equal(found, undefined, `event ${id}`)
      else equal(found?.equals(expected), true, `event ${id}`)
    }
  }
}

function optionsOf(compression: 'none' | 'lz4' | 'zstd'): EventLogOptions {
  return { compression, segmentBytes: 16 * 1024 }
}

function equal(found: unknown, expected: unknown, what: string): void {
  if (found !== expected) throw new Error(`${what}: found ${String(found)}, expected ${String(expected)}`)
}

function same(found: readonly [number, Buffer][], first: number, expected: readonly Buffer[]): void {
  equal(found.length, expected.length, 'events')
  found.forEach(([id, event], i) => {
    equal(id, first + i, 'id')
    equal(event.equals(expected[i] as Buffer), true, `event ${id}`)
  })
}

test('a log holds what an array holds', async (t) => {
  const folder = temporaryFolder(t)
  const seed = runSeed()
  t.log(`seed ${seed}`)
  let reopened = 0
  await fc.assert(
    fc.asyncProperty(
      steps,
      fc.constantFrom(1, 1, 0, 5_000_000_000),
      fc.constantFrom('none' as const, 'lz4' as const, 'zstd' as const),
      async (life, firstEventId, compression) => {
        const path = mkdtempSync(join(folder, 'log-'))
        const pair = new Pair(path, firstEventId, await EventLog.open(path, { ...optionsOf(compression), firstEventId }))
        try {
          for (const step of life) {
            await pair.run(step)
            pair.check()
            if (step.kind === 'reopen') reopened++
          }
          equal((await pair.log.verify()).ok, true, 'verified')
        } finally {
          await pair.log.close()
          rmSync(path, { recursive: true })
        }
      },
    ),
    { numRuns: RUNS, seed },
  )
  t.true(reopened > RUNS / 2, `${reopened}`)
})
