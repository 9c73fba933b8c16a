import test from 'ava'
import { Stall, type Waiting } from '../../src/canonical-store/watching/stall.ts'

class Queue implements Waiting {
  isStalled = true
  isForReaders = false
  progress = 0
  looks = 0
  refused = 0

  look(): void {
    this.looks++
  }

  refuse(): void {
    this.refused++
    this.isStalled = false
  }
}

/** Timers that fire when the test says so. */
class Timers {
  readonly due: { work: () => void; ms: number }[] = []

  readonly after = (work: () => void, ms: number): { unref(): void } => {
    this.due.push({ work, ms })
    return { unref: () => {} }
  }

  fire(): number {
    const { work, ms } = this.due.shift() as { work: () => void; ms: number }
    work()
    return ms
  }
}

/**
 * Bug: writes that waited for room waited for ever without progress, which a snapshot of the caller's own could cause. Mechanism: the queue had no end. Fix:
 * one timer while a write waits; if nothing has moved since it was set, all are refused.
 */
test('a queue that does not move is refused, one that moves is not', (t) => {
  const queue = new Queue()
  const timers = new Timers()
  const stall = new Stall(queue, timers.after)
  stall.watch()
  stall.watch()
  t.is(timers.due.length, 1, 'one timer for all')
  for (let i = 0; i < 5; i++) {
    queue.progress++
    t.is(timers.fire(), 30_000)
    t.deepEqual([queue.looks, queue.refused, timers.due.length], [i + 1, 0, 1])
  }
  timers.fire()
  t.deepEqual([queue.refused, timers.due.length], [1, 0])
})

test('whoever waits for readers is told sooner', (t) => {
  const queue = new Queue()
  queue.isForReaders = true
  const timers = new Timers()
  new Stall(queue, timers.after).watch()
  t.is(timers.fire(), 5_000)
  t.is(queue.refused, 1)
})

test('when nobody waits any more nothing is watched', (t) => {
  const queue = new Queue()
  const timers = new Timers()
  const stall = new Stall(queue, timers.after)
  stall.watch()
  queue.isStalled = false
  timers.fire()
  t.deepEqual([queue.refused, timers.due.length], [0, 0])
  stall.watch()
  t.is(timers.due.length, 1, 'until somebody waits again')
})
