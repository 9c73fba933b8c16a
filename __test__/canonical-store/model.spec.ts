// Random transactions against a sorted array: what every kind of reader shows, before, inside and after, and after reopening. Keys are chosen to
// extend each other, to end in 0xff and to meet at bounds.
import fc from 'fast-check'
import test from 'ava'
import { binary, open, utf8, type Collection, type Reader, type Transaction } from '../../src/index.ts'
import { storePath } from '../support/store.ts'

type Model = Map<string, string>
type Step =
  | { do: 'put'; key: string; value: string }
  | { do: 'delete'; key: string }
  | { do: 'append'; events: string[] }
  | { do: 'read'; key: string }
  | { do: 'deleteRange' | 'range'; range: Bounds }
interface Bounds {
  gte?: string
  gt?: string
  lt?: string
  lte?: string
  prefix?: string
  reverse?: boolean
  limit?: number
}
interface Round {
  steps: Step[]
  end: 'commit' | 'abort'
  flush: boolean
  reopen: boolean
}

const key = fc.array(fc.constantFrom('00', '61', 'fe', 'ff'), { minLength: 1, maxLength: 4 }).map((parts) => parts.join(''))
const bound = fc.oneof(key, fc.constant(''))
const bounds: fc.Arbitrary<Bounds> = fc
  .record({
    lower: fc.option(fc.record({ kind: fc.constantFrom('gte', 'gt'), at: bound })),
    upper: fc.option(fc.record({ kind: fc.constantFrom('lt', 'lte'), at: bound })),
    prefix: fc.option(bound),
    reverse: fc.boolean(),
    limit: fc.option(fc.nat(6)),
  })
  .map(({ lower, upper, prefix, reverse, limit }) => {
    const range: Bounds = { reverse }
    if (lower !== null) range[lower.kind as 'gte'] = lower.at
    if (upper !== null) range[upper.kind as 'lt'] = upper.at
    if (prefix !== null) range.prefix = prefix
    if (limit !== null) range.limit = limit
    return range
  })
const span = bounds.map((range) => Object.fromEntries(Object.entries(range).filter(([name]) => name !== 'reverse' && name !== 'limit')) as Bounds)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('put' as const), key, value: fc.string({ maxLength: 8 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('append' as const), events: fc.array(fc.string({ maxLength: 8 }), { maxLength: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('read' as const), key }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('range' as const), range: bounds }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('deleteRange' as const), range: span }) },
)
const round: fc.Arbitrary<Round> = fc.record({
  steps: fc.array(step, { maxLength: 12 }),
  end: fc.constantFrom('commit' as const, 'commit' as const, 'abort' as const),
  flush: fc.boolean(),
  reopen: fc.integer({ min: 0, max: 7 }).map((n) => n === 0),
})

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')
const hex = (of: Uint8Array): string => Buffer.from(of).toString('hex')

function within(model: Model, { gte, gt, lt, lte, prefix, reverse, limit }: Bounds): [string, string][] {
  const found = [...model]
    .filter(
      ([at]) =>
        (gte === undefined || at >= gte) &&
        (gt === undefined || at > gt) &&
        (lt === undefined || at < lt) &&
        (lte === undefined || at <= lte) &&
        (prefix === undefined || at.startsWith(prefix)),
    )
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
  return (reverse === true ? found.toReversed() : found).slice(0, limit)
}

function packed(range: Bounds): object {
  return Object.fromEntries(Object.entries(range).map(([name, value]) => [name, typeof value === 'string' ? bytes(value) : value]))
}

test('every reader shows what the model says', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(round, { maxLength: 8 }), async (rounds) => {
      const path = storePath(t)
      const openIt = () => open(path, { events: utf8(), durability: 'applied' })
      let store = await openIt()
      let keys: Collection<Uint8Array, string> = store.collection('keys', { key: binary(), value: utf8() })
      let model: Model = new Map()
      const events: string[] = []
      const shows = (reader: Reader, expected: Model): void => {
        const all = within(expected, {})
        t.deepEqual(
          reader
            .range(keys)
            .toArray()
            .map(([at, value]) => [hex(at), value]),
          all,
        )
        t.deepEqual([...reader.range(keys, { reverse: true }).keys()].map(hex), all.map(([at]) => at).toReversed())
        t.is(reader.range(keys).count(), all.length)
      }
      try {
        for (const { steps, end, flush, reopen } of rounds) {
          const before = store.snapshot()
          const [oldModel, oldEvents] = [new Map(model), [...events]]
          const next: Model = new Map(model)
          const appended: string[] = []
          const work = (tx: Transaction<string>): void => {
            for (const each of steps) run(tx, each, next, appended)
            shows(tx, next)
            if (end === 'abort') throw new Error('abort')
          }
          const run = (tx: Transaction<string>, each: Step, state: Model, added: string[]): void => {
            if (each.do === 'put') {
              tx.put(keys, bytes(each.key), each.value)
              state.set(each.key, each.value)
            } else if (each.do === 'delete') t.is(tx.delete(keys, bytes(each.key)), state.delete(each.key))
            else if (each.do === 'read') {
              t.is(tx.get(keys, bytes(each.key)), state.get(each.key))
              t.is(store.has(keys, bytes(each.key)), state.has(each.key))
              t.deepEqual(tx.getMany(keys, [bytes(each.key), bytes('61')]), [state.get(each.key), state.get('61')])
            } else if (each.do === 'range') {
              t.deepEqual(
                tx
                  .range(keys, packed(each.range))
                  .toArray()
                  .map(([at, value]) => [hex(at), value]),
                within(state, each.range),
              )
            } else if (each.do === 'append') {
              const ids = tx.appendAll(each.events)
              if (each.events.length > 0) t.deepEqual(ids, { first: events.length + added.length + 1, last: events.length + added.length + each.events.length })
              added.push(...each.events)
            } else {
              const gone = within(state, each.range)
              t.is(tx.deleteRange(keys, packed(each.range)), gone.length)
              for (const [at] of gone) state.delete(at)
            }
          }
          if (end === 'abort') t.throws(() => store.apply(work), { message: 'abort' })
          else {
            store.apply(work)
            model = next
            events.push(...appended)
          }
          if (flush) await store.flush()
          shows(before, oldModel)
          t.deepEqual(
            [...before.events()].map(({ event }) => event),
            oldEvents,
          )
          before.release()
          if (reopen) {
            await store.close()
            store = await openIt()
            keys = store.collection('keys', { key: binary(), value: utf8() })
          }
          shows(store, model)
          t.deepEqual(
            [...store.events()].map(({ id, event }) => [id, event]),
            events.map((event, i) => [i + 1, event]),
          )
        }
      } finally {
        await store.close()
      }
    }),
    { numRuns: 60 },
  )
})
