// Programs as users write them. Nothing here runs: the type check proves what compiles and, by each `@ts-expect-error`, what must not.
import {
  binary,
  json,
  LedgerstoneError,
  LimitError,
  open,
  utf8,
  type CanonicalStore,
  type Codec,
  type Collection,
  type Json,
  type StandardSchemaV1,
} from '../../src/index.ts'

interface Account {
  owner: string
  balance: number
}
type BankEvent = { type: 'transferred'; from: string; to: string; amount: number } | { type: 'opened'; id: string }
type UserId = string & { readonly __u: true }
declare const withDefault: StandardSchemaV1<{ owner: string; balance?: number }, { owner: string; balance: number }>
declare const withDate: StandardSchemaV1<string, { at: Date }>

export async function bank(): Promise<void> {
  await using store = await open<BankEvent>('./bank')
  const accounts = store.collection('accounts', { value: json<Account>() })
  const checked = store.collection('checked', { value: json(withDefault) })
  const users = store.collection('users', { key: utf8<UserId>(), value: json<{ name: string }>() })
  for (const [id] of users.range({ prefix: 'eu-' })) {
    const user: UserId = id
    void user
  }
  const written = store.collection<string, Account>('accounts')
  // @ts-expect-error keys that are not strings need a codec
  store.collection<number, Account>('accounts')
  // @ts-expect-error json keeps no order
  store.collection('bad', { key: json<{ x: 1 }>() })
  // @ts-expect-error JSON would change what this schema gives
  store.collection('dates', { value: json(withDate) })

  // @ts-expect-error a callback is synchronous
  await store.transact(async (tx) => {
    tx.append({ type: 'opened', id: 'x' })
  })
  // @ts-expect-error a callback is synchronous
  store.apply(async () => 1)
  // @ts-expect-error no such event
  await store.transact((tx) => tx.append({ type: 'nope' }))
  await store.transact((tx) => {
    // @ts-expect-error no such value
    tx.put(accounts, 'a', { owner: 1, balance: 1 })
    // @ts-expect-error a value may be missing
    tx.put(accounts, 'a', tx.get(accounts, 'b'))
  })

  const first = await store.transact((tx) => {
    tx.put(checked, 'a', { owner: 'x' })
  })
  const nothing: void = first.result
  const second = await store.transact((tx) => tx.get(accounts, 'a') ?? null)
  const account: Account | null = second.result
  const third = await store.transact((tx) => (tx.has(accounts, 'a') ? 1 : ('x' as const)))
  const either: 1 | 'x' = third.result
  const stored: { owner: string; balance: number } | undefined = checked.get('a')
  {
    using tx = store.writeTxn()
    tx.put(accounts, 'x', { owner: 'o', balance: 0 })
    await tx.commit().wait('written')
  }
  {
    using snapshot = store.snapshot()
    for (const { event } of snapshot.events({ reverse: true, limit: 3 })) if (event.type === 'opened') event.id.trim()
  }
  void [written, nothing, account, either, stored]
}

export async function telemetry(): Promise<void> {
  const store = await open('./telemetry', { events: binary(), durability: 'written' } as const)
  const raw = store.collection('raw', { key: binary() })
  const points = store.collection('points', { value: binary() })
  await store.transact((tx) => {
    tx.put(points, 'a', new Uint8Array(8))
    tx.append(new Uint8Array(4))
    tx.deleteRange(raw, { prefix: Buffer.from('a') })
    // @ts-expect-error the prefix of bytes is bytes
    tx.range(raw, { prefix: 'a' })
  })
  const value: Json | undefined = raw.get(Buffer.from('a'))
  const bytes: Buffer | undefined = points.get('a')
  const event: Buffer | undefined = store.event(1)?.event
  takes(store)
  void [value, bytes, event, wrap(raw, Buffer.from('a'))]
}

export async function generic<T>(store: CanonicalStore<BankEvent>, fn: () => T): Promise<T> {
  return (await store.transact<T>(() => fn() as never)).result
}

export function told(error: unknown): string {
  if (error instanceof LimitError) return `${error.limit} ${error.max}`
  return error instanceof LedgerstoneError && error.retryable ? error.code : 'unknown'
}

export const reversed: Codec<string> = { name: 'reversed', encode: (text) => Buffer.from(text).toReversed(), decode: (bytes) => bytes.toString() }

function takes(store: CanonicalStore<Uint8Array>): void {
  store.stats()
}

function wrap<K, V>(from: Collection<K, V>, key: K): V | undefined {
  return from.get(key)
}
