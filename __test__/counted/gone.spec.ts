// What is gone costs no native calls, and inside a transaction no pages: neither what was deleted before nor what the transaction itself has deleted.
import fc from 'fast-check'
import test from 'ava'
import { openStore } from '../support/store.ts'
import { callsOf } from './calls.ts'

const key = (number: number): string => String(number).padStart(8, '0')

test.serial('the head of a queue takes as many native calls behind ten thousand deletions as behind none', async (t) => {
  const store = await openStore(t)
  const jobs = store.collection<string, number>('jobs')
  store.apply((tx) => {
    for (let n = 0; n < 20_000; n++) tx.put(jobs, key(n), n)
  })
  await store.flush()
  const head = (): number[] => [...jobs.range({ limit: 1 }).values()]
  const before = callsOf(() => t.deepEqual(head(), [0]))
  store.apply((tx) => {
    for (let n = 0; n < 10_000; n++) tx.delete(jobs, key(n))
  })
  t.deepEqual(
    callsOf(() => t.deepEqual(head(), [10_000])),
    before,
  )
  t.deepEqual(
    callsOf(() => t.deepEqual(head(), [10_000])),
    before,
  )
})

/**
 * Bug: emptying a queue inside one transaction became slower with each job taken. Mechanism: each look at the head read all that the transaction had deleted,
 * page by page, and copied its own writes. Fix: what a look has found gone is passed over by the next one.
 */
test.serial('inside a transaction too, whatever it has deleted itself', async (t) => {
  const store = await openStore(t)
  const jobs = store.collection<string, number>('jobs')
  const count = 6_000
  store.apply((tx) => {
    for (let n = 0; n < count; n++) tx.put(jobs, key(n), n)
  })
  for (const reverse of [false, true]) {
    const calls = callsOf(() => {
      const tx = store.writeTxn()
      for (let n = 0; n < count / 2; n++) {
        for (const [at] of tx.range(jobs, { limit: 1, reverse })) {
          if (at !== key(reverse ? count - 1 - n : n)) t.fail(`${at} in round ${n}`)
          tx.delete(jobs, at)
        }
      }
      tx.abort()
    })
    t.true((calls.rangePage as number) <= count / 2 + 10, `${calls.rangePage} pages for ${count / 2} looks`)
  }
})

type Step = { do: 'put'; at: number } | { do: 'delete'; from: number; count: number } | { do: 'range'; from: number; to: number; reverse: boolean; limit: number }

const KEYS = 160
const at = fc.nat(KEYS - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('put' as const), at }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('delete' as const), from: at, count: fc.integer({ min: 1, max: 100 }) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('range' as const),
      from: fc.constantFrom(0, 0, 10, 70),
      to: fc.constantFrom(KEYS, KEYS, 150, 90),
      reverse: fc.boolean(),
      limit: fc.integer({ min: 1, max: 4 }),
    }),
  },
)

test.serial('ranges of a transaction over long runs of its own deletions show what is there', async (t) => {
  const store = await openStore(t)
  const jobs = store.collection<string, number>('jobs')
  store.apply((tx) => {
    for (let n = 0; n < KEYS; n += 2) tx.put(jobs, key(n), n)
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const model = new Set(Array.from({ length: KEYS / 2 }, (_, n) => n * 2))
      const tx = store.writeTxn()
      try {
        for (const step of steps) {
          if (step.do === 'put') {
            tx.put(jobs, key(step.at), step.at)
            model.add(step.at)
          } else if (step.do === 'delete') {
            for (let n = step.from; n < step.from + step.count; n++) {
              tx.delete(jobs, key(n))
              model.delete(n)
            }
          } else {
            const { from, to, reverse, limit } = step
            const within = [...model].filter((n) => n >= from && n < to).toSorted((a, b) => (reverse ? b - a : a - b))
            const found: number[] = []
            // A write while it goes on does not appear in it.
            for (const [, n] of tx.range(jobs, { gte: key(from), lt: key(to), reverse, limit })) {
              found.push(n)
              tx.put(jobs, key(KEYS + 1), 0)
              tx.get(jobs, key(KEYS + 1))
            }
            if (JSON.stringify(found) !== JSON.stringify(within.slice(0, limit))) throw new Error(`${JSON.stringify(step)}: ${JSON.stringify(found)}`)
          }
        }
      } finally {
        tx.abort()
      }
    }),
    { numRuns: 300 },
  )
  t.pass()
})
