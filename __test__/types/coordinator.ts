// The write coordinator as users write it. Nothing here runs: the type check proves what compiles and, by each `@ts-expect-error`, what must not.
import type { Durability, LedgerstoneError, Pause, SignalOptions } from '../../src/index.ts'
import {
  type CoordinatorOptions,
  type CoordinatorStats,
  type CoordinatorTypes,
  type Delta,
  type EpochHandle,
  type EpochRange,
  type EpochStamped,
  type Flusher,
  http,
  type HttpSnapshot,
  jsonLines,
  type JsonLinesSnapshot,
  listDelta,
  type ListDeltaTypes,
  mapDelta,
  type MapDeltaTypes,
  parquet,
  type ParquetSnapshot,
  type View,
  WriteCoordinator,
} from '../../src/write-coordinator/index.ts'

interface Order {
  readonly id: string
  readonly total: number
}
interface Mine extends CoordinatorTypes {
  Context: { nextId: number }
  Write: Order
  ApplyResult: number
  Frozen: readonly Order[]
  FrozenView: ReadonlyMap<string, Order>
  DeltaView: ReadonlyMap<string, Order>
  Snapshot: { readonly rows: number }
}

class Orders implements Delta<Mine> {
  readonly #orders = new Map<string, Order>()
  #nextId: number
  constructor({ nextId }: Mine['Context']) {
    this.#nextId = nextId
  }
  apply(order: Order): number {
    this.#orders.set(order.id, order)
    return this.#nextId++
  }
  estimateSize(): number {
    return this.#orders.size * 100
  }
  freeze(): { frozen: Order[]; view: Map<string, Order>; context: Mine['Context'] } {
    return { frozen: [...this.#orders.values()], view: this.#orders, context: { nextId: this.#nextId } }
  }
  reader(): ReadonlyMap<string, Order> {
    return this.#orders
  }
}

const flusher: Flusher<Mine> = {
  async flushDelta(orders, { start, end }, { signal }) {
    const total: number = orders[0]?.total ?? end - start
    void [total, signal.aborted]
    return { rows: orders.length }
  },
  async flushStorage({ signal }) {
    signal.throwIfAborted()
  },
}
const init = (context: Mine['Context']): Orders => new Orders(context)

export async function orders(options: CoordinatorOptions<Mine>, signal: AbortSignal | undefined): Promise<void> {
  await using coordinator = new WriteCoordinator<Mine>({
    init,
    context: { nextId: 1 },
    snapshot: { rows: 0 },
    flusher,
    flush: { bytes: 1, intervalMs: undefined, writes: 5 },
    maxPendingBytes: undefined,
    durability: 'written',
    retry: { attempts: 3, minDelayMs: undefined },
  })
  const handle: EpochHandle<number> = await coordinator.write({ id: 'a', total: 1 }, { timeoutMs: 5, signal })
  const result: number = await coordinator.tryWrite({ id: 'b', total: 1 }).wait('durable', { signal })
  const level: Durability = 'applied'
  await handle.wait(level)
  const view: View<Mine> = coordinator.view()
  const order: Order | undefined = view.current.get('a') ?? view.frozen[0]?.value.get('a')
  const stamped: EpochStamped<ReadonlyMap<string, Order>> | undefined = view.frozen[0]
  const range: EpochRange | undefined = stamped?.epochs
  const rows: number = view.snapshot.rows + view.epochs.applied
  for await (const { snapshot } of coordinator.subscribe({ signal })) {
    const stored: number = snapshot.rows
    void stored
  }
  await coordinator.flush('durable', { signal } satisfies SignalOptions)
  {
    using pause: Pause = await coordinator.pause({ timeoutMs: undefined })
    void pause
  }
  const failure: LedgerstoneError | undefined = coordinator.failure
  const stats: CoordinatorStats = coordinator.stats()
  await coordinator.close({ signal })
  const kept: WriteCoordinator<Mine> = new WriteCoordinator<Mine>(options)
  void [result, order, range, rows, failure, stats, kept, coordinator.isPaused]

  // @ts-expect-error a write of another type
  await coordinator.write({ id: 1, total: 1 })
  // @ts-expect-error a result of another type
  const text: string = handle.result
  // @ts-expect-error what is frozen belongs to others too
  view.frozen.push({ value: new Map(), epochs: { start: 1, end: 2 } })
  // @ts-expect-error marks are not set
  view.epochs.applied = 5
  // @ts-expect-error flushing to a level below `written` is nothing
  await coordinator.flush('applied')
  // @ts-expect-error no such option
  await coordinator.write({ id: 'a', total: 1 }, { timeout: 5 })
  void text
}

export function mistakes(): void {
  const base = { context: { nextId: 1 }, snapshot: { rows: 0 }, flusher }
  const counting = { flushDelta: async (orders: readonly Order[]) => ({ rows: orders.length }), flushStorage: async () => {} }
  // @ts-expect-error the types have to be named
  void new WriteCoordinator({ init, context: { nextId: 1 }, snapshot: { rows: 0 }, flusher: counting })
  // @ts-expect-error a context of another type
  void new WriteCoordinator<Mine>({ init, ...base, context: 5 })
  // @ts-expect-error no snapshot to begin with
  void new WriteCoordinator<Mine>({ init, context: { nextId: 1 }, flusher })
  // @ts-expect-error a delta for other writes
  void new WriteCoordinator<Mine>({ ...base, init: listDelta<number>() })
  // @ts-expect-error a flusher that gives another snapshot
  void new WriteCoordinator<Mine>({ init, ...base, flusher: { flushDelta: async () => 5, flushStorage: async () => {} } })
  // @ts-expect-error a flusher that is not asynchronous
  void new WriteCoordinator<Mine>({ init, ...base, flusher: { flushDelta: () => ({ rows: 1 }), flushStorage: async () => {} } })
  // @ts-expect-error half a flusher
  void new WriteCoordinator<Mine>({ init, ...base, flusher: { flushDelta: async () => ({ rows: 1 }) } })
  // @ts-expect-error how often to try has to be said
  void new WriteCoordinator<Mine>({ init, ...base, retry: { minDelayMs: 5 } })
  class Late implements Delta<Mine> {
    // @ts-expect-error a delta that is asynchronous
    async apply(): Promise<number> {
      return 1
    }
    estimateSize(): number {
      return 1
    }
    freeze(): never {
      throw new Error()
    }
    reader(): ReadonlyMap<string, Order> {
      return new Map()
    }
  }
  void Late
}

interface Lines extends ListDeltaTypes<Order> {
  Snapshot: JsonLinesSnapshot | undefined
}
interface Texts extends ListDeltaTypes<Order, string> {
  Snapshot: JsonLinesSnapshot | undefined
}
interface Users extends MapDeltaTypes<string, Order | undefined> {
  Snapshot: HttpSnapshot | undefined
}
interface Rows extends MapDeltaTypes<string, Order> {
  Snapshot: ParquetSnapshot | undefined
}

export async function ready(): Promise<void> {
  const nothing = { context: undefined, snapshot: undefined } as const
  const lines = new WriteCoordinator<Lines>({ init: listDelta(), ...nothing, flusher: jsonLines('a') })
  await lines.write({ id: 'a', total: 1 })
  const items: readonly Order[] = lines.view().current
  void new WriteCoordinator<Texts>({
    init: listDelta({ keep: (order: Order) => JSON.stringify(order) }),
    ...nothing,
    flusher: jsonLines('a', { encode: (text: string) => text }),
  })
  const users = new WriteCoordinator<Users>({
    init: mapDelta({ sizeOf: (key: string) => key.length }),
    ...nothing,
    flusher: http<readonly [string, Order | undefined]>('http://a'),
  })
  await users.write({ key: 'a', value: undefined })
  const user: Order | undefined = users.view().current.get('a')
  void new WriteCoordinator<Rows>({
    init: mapDelta(),
    ...nothing,
    flusher: parquet<readonly [string, Order]>('a', { columns: { id: 'STRING', total: 'DOUBLE' }, row: ([, order]) => ({ ...order }) }),
  })
  // @ts-expect-error a flusher of other items
  void new WriteCoordinator<Lines>({ init: listDelta(), ...nothing, flusher: jsonLines<number>('a') })
  // @ts-expect-error a value of another type
  await users.write({ key: 'a', value: 5 })
  // @ts-expect-error no such type of column
  parquet('a', { columns: { id: 'TEXT' } })
  void [items, user]
}
