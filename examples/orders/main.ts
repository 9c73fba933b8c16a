// An order desk. An order is placed when the goods are there and the credit office, which takes its time, has agreed: state and event in one commit. The
// events are the outbox: a consumer follows them and keeps a cursor, so that it can stop at any time and misses nothing.
//
//   node examples/orders/main.js
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { json, open, PreflightRejectedError, retry } from 'ledgerstone'

interface Order {
  readonly customer: string
  readonly item: string
  readonly count: number
  readonly price: number
}
type OrderEvent = { readonly type: 'placed'; readonly order: string; readonly customer: string }

const PRICES: Readonly<Record<string, number>> = { apples: 2, pears: 3, plums: 5 }
const CUSTOMERS = ['ann', 'ben', 'cleo', 'dan']
const CREDIT = 300
const ORDERS = 200

const folder = mkdtempSync(join(tmpdir(), 'ledgerstone-orders-'))
const store = await open<OrderEvent>(join(folder, 'orders'))
const stock = store.collection('stock', { value: json<number>() })
const orders = store.collection('orders', { value: json<Order>() })
const letters = store.collection('letters', { value: json<string>() })
await store.transact((tx) => {
  for (const item of Object.keys(PRICES)) tx.put(stock, item, 150)
})

const morning = deliverLetters(30)
const reasons = new Map<string, number>()
await Promise.all(Array.from({ length: ORDERS }, (_, n) => tryToPlace(`order ${String(n).padStart(3, '0')}`)))

// The writer of letters in the morning stops after thirty, in the middle of the work; another goes on from there.
await morning.ended
const afternoon = deliverLetters(Infinity)
while (Number(store.state.get('letters') ?? 0) < store.nextEventId - 1) await sleep(1)
afternoon.stop()
await afternoon.ended

const placed = orders.range().count()
console.log(`${placed} orders placed, ${ORDERS - placed} refused`)
for (const [reason, count] of reasons) console.log(`  ${count}: ${reason}`)
for (const [item, count] of stock.range()) {
  const sold = [...orders.range().values()].filter((order) => order.item === item).reduce((sum, order) => sum + order.count, 0)
  console.log(`${item}: ${sold} sold, ${count} left, ${sold + count} in all`)
}
console.log(`${letters.range().count()} letters for ${store.nextEventId - 1} events`)
await store.close()
rmSync(folder, { recursive: true })

/** Places an order of somebody's for something. */
async function tryToPlace(id: string): Promise<void> {
  const items = Object.keys(PRICES)
  const item = items[Math.floor(Math.random() * items.length)] as string
  const count = 1 + Math.floor(Math.random() * 9)
  const customer = CUSTOMERS[Math.floor(Math.random() * CUSTOMERS.length)] as string
  try {
    await retry(() => place(id, { customer, item, count, price: count * (PRICES[item] as number) }), { attempts: 20 })
  } catch (error) {
    if (!(error instanceof PreflightRejectedError)) throw error
    const reason = error.errors.join(', ')
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  }
}

async function place(id: string, order: Order): Promise<void> {
  const { customer, item, count } = order
  await store.transact(
    {
      // A customer has one order checked at a time. The orders themselves are a span: no lock, but no order slips in unseen either.
      keys: { read: [orders.keys({ prefix: `${customer}/` })], write: [stock.key(item), store.state.key(customer)] },
      preflight: async (ctx) => {
        const left = ctx.get(stock, item) ?? 0
        if (left < count) ctx.reject(`not enough ${item}`)
        let owed = order.price
        for (const [, { price }] of ctx.range(orders, { prefix: `${customer}/` })) owed += price
        if (!(await hasCredit(owed))) ctx.reject(`no more credit for ${customer}`)
        return left
      },
      apply: (tx, left) => {
        tx.put(stock, item, left - count)
        tx.put(orders, `${customer}/${id}`, order)
        tx.append({ type: 'placed', order: id, customer })
      },
    },
    { timeoutMs: 60_000 },
  )
}

/** The credit office: somewhere else, and slow. */
async function hasCredit(owed: number): Promise<boolean> {
  await sleep(1)
  return owed <= CREDIT
}

/** Writes a letter for each event, at most `most`. Letter and cursor are one commit: after a stop, however it came about, none is missing or double. */
function deliverLetters(most: number): { ended: Promise<void>; stop(): void } {
  const abort = new AbortController()
  const deliver = async (): Promise<void> => {
    let written = 0
    const after = Number(store.state.get('letters') ?? 0)
    for await (const { id, event } of store.follow({ after, signal: abort.signal })) {
      await store.transact((tx) => {
        if (tx.has(letters, event.order)) throw new Error(`a second letter about ${event.order}`)
        tx.put(letters, event.order, `Dear ${event.customer}, we have your ${event.order}.`)
        tx.put(store.state, 'letters', id)
      })
      if (++written === most) return
    }
  }
  const ended = deliver().catch((reason: unknown) => {
    if (!abort.signal.aborted) throw reason
  })
  return { ended, stop: () => abort.abort() }
}
