// The ready deltas.
import test from 'ava'
import { listDelta, mapDelta, type MapDeltaTypes, WriteCoordinator } from '../../src/write-coordinator/index.ts'
import { Queue } from '../../src/write-coordinator/queue.ts'
import { roughSize } from '../../src/write-coordinator/rough-size.ts'

test('a map keeps the last write of each key, a list all writes', (t) => {
  const map = mapDelta<string, number | undefined>()()
  for (const [key, value] of [
    ['b', 1],
    ['a', 2],
    ['b', undefined],
    ['c', 4],
  ] as const)
    map.apply({ key, value })
  const reader = map.reader()
  const { frozen, view } = map.freeze()
  for (const seen of [reader, frozen, view])
    t.deepEqual(
      [...seen],
      [
        ['b', undefined],
        ['a', 2],
        ['c', 4],
      ],
    )
  const list = listDelta<string, number>({ keep: (text) => text.length })()
  for (const text of ['a', 'bb', 'a']) list.apply(text)
  t.deepEqual(
    [list.reader(), list.freeze().frozen],
    [
      [1, 2, 1],
      [1, 2, 1],
    ],
  )
})

test('sizes only grow, and are those that were told', (t) => {
  const map = mapDelta<string, number>({ sizeOf: (key, value) => key.length + value })()
  const sizes = [
    ['a', 10],
    ['a', 3],
    ['a', 12],
    ['bb', 1],
  ].map(([key, value]) => (map.apply({ key: key as string, value: value as number }), map.estimateSize()))
  t.deepEqual(sizes, [11, 11, 13, 16])
  map.freeze()
  t.is(map.estimateSize(), 16)
})

test('what `keep` and `sizeOf` throw refuses the write, and nothing is kept', (t) => {
  const list = listDelta<unknown>({ keep: (write) => JSON.parse(JSON.stringify(write)) as unknown })()
  t.throws(() => list.apply(1n))
  t.deepEqual([list.reader(), list.estimateSize()], [[], 0])
  const evil = {
    get a(): never {
      throw new Error('getter')
    },
  }
  const map = mapDelta<string, unknown>()()
  t.throws(() => map.apply({ key: 'a', value: evil }), { message: 'getter' })
  t.deepEqual([map.reader().size, map.estimateSize()], [0, 0])
})

test('a rough size is of the right order, and costs a bounded effort', (t) => {
  const of = (value: unknown): number => roughSize(value)
  t.is(of(new Uint8Array(1000)), 1016)
  t.is(of('x'.repeat(1000)), 2016)
  t.is(of(new ArrayBuffer(1000)), 1016)
  t.true(of(new Map(Array.from({ length: 1000 }, (_, n) => [n, 'x'.repeat(1000)]))) >= 2_000_000)
  t.true(of(new Set(Array.from({ length: 1000 }, (_, n) => `${n}`.padEnd(1000)))) >= 2_000_000)
  t.is(of(new Map()), 16)
  t.true(of(Array.from({ length: 100_000 }, (_, n) => n)) >= 100_000 * 8)
  const cycle: Record<string, unknown> = {}
  cycle['cycle'] = cycle
  t.true(Number.isFinite(of(cycle)))
  let looks = 0
  const node = (): object =>
    new Proxy(
      {},
      {
        ownKeys: () => Array.from({ length: 100 }, (_, n) => `${n}`),
        getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
        get: () => (looks++, node()),
      },
    )
  of(node())
  t.true(looks < 32 * 600, `${looks} looks`)
})

test('read-your-writes over the layers of maps', async (t) => {
  interface Users extends MapDeltaTypes<string, number> {
    Snapshot: ReadonlyMap<string, number>
  }
  const stored = new Map<string, number>()
  const flushDelta = async (frozen: ReadonlyMap<string, number>): Promise<ReadonlyMap<string, number>> => {
    for (const [key, value] of frozen) stored.set(key, value)
    return new Map(stored)
  }
  const coordinator = new WriteCoordinator<Users>({
    init: mapDelta(),
    context: undefined,
    snapshot: new Map(),
    flusher: { flushDelta, flushStorage: async () => {} },
    flush: { writes: 3 },
  })
  const model = new Map<string, number>()
  for (let n = 0; n < 500; n++) {
    const write = { key: `key ${(n * 7) % 10}`, value: n }
    await coordinator.write(write)
    model.set(write.key, n)
    const { current, frozen, snapshot } = coordinator.view()
    for (const [key, value] of model) {
      const layer = [current, ...frozen.map((each) => each.value), snapshot].find((map) => map.has(key))
      t.is(layer?.get(key), value)
    }
    if (n % 50 === 0) await coordinator.flush()
  }
  await coordinator.close()
  t.deepEqual(stored, model)
})

// Kind "paying for what is gone": the head of a queue of a million costs what the head of ten costs. Counted by the places that are left linked.
test('a queue forgets who has left, from its head, its end and its middle', (t) => {
  const queue = new Queue<number>()
  const places = Array.from({ length: 10 }, (_, n) => queue.push(n))
  for (const n of [0, 9, 4, 4]) queue.remove(places[n] as (typeof places)[0])
  t.deepEqual([queue.size, queue.first, queue.newestFirst()], [7, 1, [8, 7, 6, 5, 3, 2, 1]])
  t.deepEqual(
    Array.from({ length: 8 }, () => queue.shift()),
    [1, 2, 3, 5, 6, 7, 8, undefined],
  )
  t.is(queue.size, 0)
  queue.push(11)
  t.deepEqual([queue.first, queue.newestFirst()], [11, [11]])
})
