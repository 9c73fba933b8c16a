// Bug: a consumer whose cursor was ahead of the log (an older copy of the store was put back) waited in silence, and the events that got the ids between
// were never delivered to it. Mechanism: of the range of ids only the lower end was checked. Fix: `after` beyond the newest event is ERR_CONFLICT when
// reading begins; `from` may be in the future.
//
// Bug: one event that cannot be decoded kept the events before it on its page from being delivered, and the error did not say which it was. Mechanism:
// pages were decoded as a whole. Fix: the events before it come first, then the error, which has the id.
import test, { type ExecutionContext } from 'ava'
import { ConflictError, envelope, type CanonicalStore, type Codec } from '../../src/index.ts'
import { openStore } from '../support/store.ts'

const BEYOND = { instanceOf: ConflictError, code: 'ERR_CONFLICT', message: 'the cursor is beyond the newest event: after=4 newest=3' }

async function withThree(t: ExecutionContext): Promise<CanonicalStore> {
  const store = await openStore(t)
  await store.appendAll(['one', 'two', 'three'])
  return store
}

test('a cursor beyond the newest event is told so wherever reading begins with it', async (t) => {
  const store = await withThree(t)
  const snapshot = store.snapshot()
  const beginnings: Record<string, () => unknown> = {
    events: () => [...store.events({ after: 4 })],
    'events, reversed': () => [...store.events({ after: 4, reverse: true })],
    pages: () => [...store.events({ after: 4 }).pages()],
    count: () => store.events({ after: 4 }).count(),
    snapshot: () => [...snapshot.events({ after: 4 })],
    'snapshot count': () => snapshot.events({ after: 4 }).count(),
    follow: () => store.follow({ after: 4 })[Symbol.asyncIterator]().next(),
    'follow, applied': () => store.follow({ after: 4, durability: 'applied' })[Symbol.asyncIterator]().next(),
    'follow pages': () => store.follow({ after: 4 }).pages()[Symbol.asyncIterator]().next(),
  }
  for (const [name, begin] of Object.entries(beginnings)) {
    // oxlint-disable-next-line promise/prefer-await-to-then -- some throw, some reject
    const error = await t.throwsAsync<ConflictError>(Promise.resolve().then(begin), BEYOND, name)
    t.deepEqual([error.expected, error.actual, error.retryable], [4, 3, false], name)
  }
  snapshot.release()
  const empty = await openStore(t)
  t.throws(() => [...empty.events({ after: 1 })], { code: 'ERR_CONFLICT', message: /after=1 newest=0/ })
  t.deepEqual([...empty.events({ after: 0 })], [])
})

test('the cursor at the newest event, and an id in the future, wait for what comes', async (t) => {
  const store = await withThree(t)
  t.deepEqual([...store.events({ after: 3 })], [])
  t.deepEqual([...store.events({ from: 100 })], [])
  const after = store.follow({ after: 3 })[Symbol.asyncIterator]()
  const from = store.follow({ from: 5 })[Symbol.asyncIterator]()
  const steps = [after.next(), from.next()]
  await store.appendAll(['four', 'five'])
  t.deepEqual(
    (await Promise.all(steps)).map(({ value }) => (value as { id: number }).id),
    [4, 5],
  )
  await Promise.all([after.return?.(), from.return?.()])
})

/** Stores anything, and cannot read what says that it is bad. */
const PICKY: Codec<string> = {
  name: 'picky',
  encode: (text) => text,
  decode: (bytes) => {
    const text = bytes.toString()
    if (text === 'bad' && refuses) throw new Error('unreadable')
    return text
  },
}
let refuses = false

test.serial('what comes before an event that cannot be decoded is delivered, and the error says which it was', async (t) => {
  const store = await openStore(t, { events: PICKY })
  refuses = false
  await store.appendAll(['one', 'two', 'bad', 'four'])
  refuses = true
  t.teardown(() => (refuses = false))
  const snapshot = store.snapshot()
  t.teardown(() => snapshot.release())
  const seen: unknown[] = []
  const attempts: Record<string, () => Promise<void> | void> = {
    events: () => {
      for (const { event } of store.events()) seen.push(event)
    },
    'events pages': () => {
      for (const page of store.events().pages()) for (const { event } of page) seen.push(event)
    },
    'snapshot pages': () => {
      for (const page of snapshot.events().pages()) for (const { event } of page) seen.push(event)
    },
    follow: async () => {
      for await (const { event } of store.follow()) seen.push(event)
    },
    'follow pages': async () => {
      for await (const page of store.follow().pages()) for (const { event } of page) seen.push(event)
    },
  }
  for (const [name, attempt] of Object.entries(attempts)) {
    seen.length = 0
    const error = await t.throwsAsync<Error & { eventId: number }>(async () => attempt(), { code: 'ERR_CODEC', message: /eventId=3$/ }, name)
    t.is(error.eventId, 3, name)
    t.deepEqual(seen, ['one', 'two'], name)
  }
  seen.length = 0
  t.throws(
    () => {
      for (const page of store.events({ reverse: true }).pages()) for (const { event } of page) seen.push(event)
    },
    { code: 'ERR_CODEC', message: /eventId=3$/ },
  )
  t.deepEqual(seen, ['four'])
  t.throws(() => [...store.events({ from: 3 }).pages()], { code: 'ERR_CODEC' }, 'the first of its page')
  t.throws(() => store.event(3), { code: 'ERR_CODEC', message: /eventId=3$/ })
  t.deepEqual(
    [...store.events({ from: 4 })].map(({ event }) => event),
    ['four'],
  )
})

test('an envelope says of which event it knows no type', async (t) => {
  const path = await openStore(t, { events: envelope({ types: { old: {}, kept: {} } }) as never })
  await path.appendAll([
    { type: 'kept', data: 1 },
    { type: 'old', data: 2 },
  ] as never)
  await path.close()
  const store = await openStore(t, { events: envelope({ types: { kept: {} } }) as never }, path.path)
  const error = t.throws<Error & { eventId: number }>(() => [...store.events()], { code: 'ERR_CODEC' })
  t.is(error.eventId, 2)
})
