// The bytes that a read or a transaction allocates, counted over some millions of them in a separate process: on the JavaScript heap, and outside of it for
// bytes that are handed out. The bounds are the sizes of V8's objects and a little more: one more object for each does not fit. They were measured on V8 11.3,
// 12.4, 13.6 and 14.6 (Node 20, 22, 24, 26).
import test from 'ava'
import { runChild } from '../support/child.ts'
import { storePath } from '../support/store.ts'

const READS = 4_000_000
const V8 = Number.parseFloat(process.versions.v8)
/** A Buffer over memory that is there. */
const VIEW = V8 >= 13 ? 104 : 96
/** Arrays that are filled one by one grow by more in later versions. */
const GROWTH = V8 >= 12 ? 44 : 0
/** What an object of each iteration step takes: `{ value, done }`. */
const STEP = 40
/** For what a slice of reads pays once: pages, the counting itself. */
const SLACK = 8
/** 100 bytes padded to 8, and the sixteenth of a slab that is given up. */
const VALUE_OUTSIDE = 112

const MOST: Record<string, { heap: number; outside: number }> = {
  'get, a Buffer': { heap: VIEW + SLACK, outside: VALUE_OUTSIDE },
  'get, missing': { heap: SLACK, outside: 0 },
  // 16 bytes and the text.
  'get, a string': { heap: 120 + SLACK, outside: 0 },
  has: { heap: SLACK, outside: 0 },
  // Where each key stands, where each value ends, and the place of each in the answer.
  'getMany of 100, Buffers': { heap: VIEW + 88 + GROWTH + SLACK, outside: 168 },
  // Key and value, and the pair of them, which is an array and its elements; the page has 8 bytes more for each.
  'range, Buffers': { heap: 2 * VIEW + 64 + STEP + 4 * SLACK, outside: 128 + SLACK },
  // The text of the page, and two pieces of it.
  'range, strings': { heap: 124 + 2 * 32 + 64 + STEP + 5 * SLACK, outside: 0 },
  'range, keys': { heap: 24 + 32 + STEP + 2 * SLACK, outside: 0 },
  // `{ id, timestamp, event }` with its time as a separate number.
  'events, one by one': { heap: VIEW + 56 + 16 + STEP + 3 * SLACK, outside: 216 + SLACK },
  'events, by pages': { heap: VIEW + 56 + 16 + 24 + GROWTH + 2 * SLACK, outside: 216 + SLACK },
  // The same; outside of it the sixteenth of a slab that is given up.
  'event(id), a Buffer': { heap: VIEW + 56 + 16 + SLACK, outside: 224 + SLACK },
  // The caller's function and what it closes over; the transaction and its face; the commit with its time; the promise and how it is settled. No further
  // function, and no number as an object, for each.
  transact: { heap: 640, outside: 0 },
}

test(`what a read or a transaction allocates, over ${READS / 1e6} million`, async (t) => {
  const ended = await runChild(new URL('allocation.ts', import.meta.url), {
    args: [storePath(t), String(READS)],
    // No slice of the reads fills the young generation.
    nodeArgs: ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64'],
    limitMs: 600_000,
  })
  t.deepEqual([ended.code, ended.stderr, ended.reports.at(-1)], [0, '', 'closed'])
  const costs = ended.reports.slice(0, -1).map((line) => JSON.parse(line) as { name: string; heap: number; outside: number })
  t.deepEqual(
    costs.map(({ name }) => name),
    Object.keys(MOST),
  )
  for (const { name, heap, outside } of costs) {
    t.log(`${name}: ${heap.toFixed(1)} bytes, and ${outside.toFixed(1)} outside`)
    const most = MOST[name] as { heap: number; outside: number }
    t.true(heap <= most.heap, `${name}: ${heap} bytes of the heap, at most ${most.heap}`)
    t.true(outside <= most.outside, `${name}: ${outside} bytes outside of it, at most ${most.outside}`)
  }
})
