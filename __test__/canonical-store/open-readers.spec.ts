// When a reader that stays open is warned of: once, at its age, with a clock and timers that the test moves.
import { mock } from 'node:test'
import test, { type ExecutionContext } from 'ava'
import { OpenReaders } from '../../src/canonical-store/watching/open-readers.ts'
import { Lease, type LeaseKind } from '../../src/internal/lease.ts'

const WARN_AFTER_MS = 1000

/** Readers whose time passes in steps, and the warnings so far. */
class Scene {
  readonly warnings: string[] = []
  readonly readers: OpenReaders
  /** Garbage-collected they would end their leases. */
  readonly #holders: object[] = []
  /** Whole milliseconds: with a fraction, sums of steps miss an age by a rounding now and then, and the reader is seen a step later. */
  #nowMs = Math.round(performance.now())

  constructor(t: ExecutionContext) {
    mock.timers.enable({ apis: ['setTimeout'] })
    mock.method(process, 'emitWarning', (message: string, options: { code: string; type: string }) => {
      t.deepEqual(options, { type: 'LedgerstoneWarning', code: 'LEDGERSTONE_LONG_READER' })
      this.warnings.push(message.slice(message.indexOf('snapshots=')).replace(/oldestMs=.*/, ''))
    })
    t.teardown(() => mock.reset())
    this.readers = new OpenReaders('/store', WARN_AFTER_MS, { now: () => this.#nowMs, setTimeout: (task, ms) => globalThis.setTimeout(task, ms) })
  }

  open(kind: LeaseKind): Lease {
    const holder = {}
    this.#holders.push(holder)
    const lease = new Lease(kind, 1, holder, this.readers, () => {})
    Object.defineProperty(lease, 'sinceMs', { value: this.#nowMs })
    return lease
  }

  pass(ms: number): void {
    for (let step = 0; step < ms; step += 50) {
      this.#nowMs += 50
      mock.timers.tick(50)
    }
  }
}

test.serial('each reader is warned of once, when it comes to the age', (t) => {
  const scene = new Scene(t)
  scene.open('snapshot')
  scene.pass(500)
  scene.open('range')
  scene.pass(450)
  t.deepEqual(scene.warnings, [])
  scene.pass(50)
  t.deepEqual(scene.warnings, ['snapshots=1 iterations=0 '])
  scene.pass(500)
  t.deepEqual(scene.warnings, ['snapshots=1 iterations=0 ', 'snapshots=0 iterations=1 '])
  scene.pass(20_000)
  t.is(scene.warnings.length, 2)
  scene.open('snapshot')
  scene.pass(WARN_AFTER_MS)
  t.deepEqual(scene.warnings[2], 'snapshots=1 iterations=0 ', 'a later one has its own')
})

test.serial('those that come to the age together share a warning', (t) => {
  const scene = new Scene(t)
  for (const kind of ['snapshot', 'range', 'snapshot'] as const) scene.open(kind)
  scene.pass(WARN_AFTER_MS)
  t.deepEqual(scene.warnings, ['snapshots=2 iterations=1 '])
})

test.serial('what is released in time is not warned of, however much of it there is', (t) => {
  const scene = new Scene(t)
  for (let n = 0; n < 100; n++) {
    const lease = scene.open(n % 2 === 0 ? 'snapshot' : 'range')
    scene.pass(WARN_AFTER_MS - 50)
    lease.close()
  }
  t.deepEqual([scene.warnings, scene.readers.size], [[], 0])
})
