// When the event loop is known to have had no turn, against a clock and a loop of the test's own.
import test from 'ava'
import { Turns } from '../../src/internal/turns.ts'

class Loop {
  ms = 0
  looks = 0
  turns: Turns
  readonly #due: (() => void)[] = []

  constructor() {
    this.turns = new Turns(
      () => (this.looks++, this.ms),
      (callback) => this.#due.push(callback),
    )
  }

  get asked(): number {
    return this.#due.length
  }

  turn(): void {
    for (const callback of this.#due.splice(0)) callback()
  }
}

test('a loop that turns by itself is never waited for', (t) => {
  const loop = new Loop()
  for (let n = 0; n < 1000; n++) {
    loop.ms += 0.7
    t.false(loop.turns.isDue())
    loop.turn()
  }
})

test('a loop that does not turn is waited for after two steps, and what settles until then keeps its order', async (t) => {
  const loop = new Loop()
  const order: number[] = []
  for (let n = 0; n < 100; n++) {
    loop.ms += 0.1
    void loop.turns.give(n).then((value) => order.push(value))
  }
  await Promise.resolve()
  t.is(loop.asked, 1)
  t.true(order.length >= 10 && order.length <= 25, `after ${order.length}`)
  await Promise.resolve()
  const before = order.length
  loop.turn()
  await Promise.resolve()
  t.deepEqual(
    order,
    Array.from({ length: 100 }, (_, n) => n),
  )
  t.true(before < 100)
  t.is(loop.turns.pause(), undefined)
})

test('the clock is looked at now and then only while much settles, and each time while little does', (t) => {
  const loop = new Loop()
  for (let n = 0; n < 64_000; n++) {
    loop.ms += 0.001
    if (loop.turns.isDue()) loop.turn()
  }
  t.true(loop.looks <= 1_100, `${loop.looks} looks`)
  loop.looks = 0
  for (let n = 0; n < 164; n++) {
    loop.ms += 2
    if (loop.turns.isDue()) loop.turn()
  }
  t.true(loop.looks >= 100)
})

test('what is refused later is refused with its reason', async (t) => {
  const loop = new Loop()
  const reasons: unknown[] = []
  for (let n = 0; n < 10; n++) {
    loop.ms += 5
    loop.turns.refuse(n).catch((reason: unknown) => reasons.push(reason))
  }
  loop.turn()
  await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(
    reasons,
    Array.from({ length: 10 }, (_, n) => n),
  )
})

test('work ends in its own turn or the next, with its outcome', async (t) => {
  const loop = new Loop()
  t.is(await loop.turns.within(() => 1), 1)
  loop.ms = 5
  t.false(loop.turns.isDue())
  loop.ms = 10
  const failing = loop.turns.within(() => {
    throw new Error('no')
  })
  await Promise.resolve()
  loop.turn()
  await t.throwsAsync(failing, { message: 'no' })
})
