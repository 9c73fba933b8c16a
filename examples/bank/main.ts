// A bank: clerks transfer money between accounts, all at the same time, each after asking somebody else whether it may. At the same time a job
// that knows nothing of locks pays interest. No money is made and none is lost, and the events explain every balance.
//
//   node examples/bank/main.js [--transfers N]
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { json, open, PreflightRejectedError, retry } from 'ledgerstone'

interface Account {
  readonly owner: string
  readonly balance: number
}
type BankEvent =
  | { readonly type: 'opened'; readonly id: string; readonly balance: number }
  | { readonly type: 'transferred'; readonly from: string; readonly to: string; readonly amount: number }

const OWNERS = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank', 'grace', 'heidi']
const RESERVE = 'reserve'
const CLERKS = 20

const { values } = parseArgs({ options: { transfers: { type: 'string', default: '2000' } } })
let left = Number(values.transfers)

const folder = mkdtempSync(join(tmpdir(), 'ledgerstone-bank-'))
const store = await open<BankEvent>(join(folder, 'bank'))
const accounts = store.collection('accounts', { value: json<Account>() })

// One commit opens all of them.
await store.transact((tx) => {
  for (const owner of [...OWNERS, RESERVE]) {
    tx.put(accounts, owner, { owner, balance: 1_000 })
    tx.append({ type: 'opened', id: owner, balance: 1_000 })
  }
})
const before = total()

let [done, refused] = [0, 0]
await Promise.all([...Array.from({ length: CLERKS }, clerk), payInterest()])

console.log(`${done} transfers, ${refused} refused for want of money`)
console.log(before === total() ? `the bank has ${total()}, as in the beginning` : `${before} have become ${total()}`)
console.log(balancesByEvents() === balances() ? 'the events give the same balances' : 'the events give other balances')
await store.close()
rmSync(folder, { recursive: true })

/** Transfers money until all that was to be transferred is. */
async function clerk(): Promise<void> {
  while (left-- > 0) {
    const [from, to] = twoOwners()
    try {
      await retry(() => transfer(from, to, 1 + Math.floor(Math.random() * 300)))
      done++
    } catch (error) {
      if (!(error instanceof PreflightRejectedError)) throw error
      refused++
    }
  }
}

/** One transfer. Both accounts are locked while the preflight waits, those of other clerks are not. */
async function transfer(from: string, to: string, amount: number): Promise<number> {
  const { result: id } = await store.transact({
    keys: { write: [accounts.key(from), accounts.key(to)] },
    preflight: async (ctx) => {
      const [payer, payee] = ctx.getMany(accounts, [from, to])
      if (payer === undefined || payee === undefined) return ctx.reject('no such account')
      if (payer.balance < amount) return ctx.reject(`${from} has only ${payer.balance}`)
      await askTheFraudDesk()
      return { payer, payee }
    },
    // What the preflight has read is still so: it can be written from.
    apply: (tx, { payer, payee }) => {
      tx.put(accounts, from, { ...payer, balance: payer.balance - amount })
      tx.put(accounts, to, { ...payee, balance: payee.balance + amount })
      return tx.append({ type: 'transferred', from, to, amount })
    },
  })
  return id
}

/** Takes no locks: a transaction of one phase is alone anyway. A preflight that it disturbs runs again. */
async function payInterest(): Promise<void> {
  for (let n = 0; n < 500; n++) {
    const to = OWNERS[n % OWNERS.length] as string
    await store.transact((tx) => {
      const [reserve, account] = tx.getMany(accounts, [RESERVE, to])
      if (reserve === undefined || account === undefined || reserve.balance === 0) return
      tx.put(accounts, RESERVE, { ...reserve, balance: reserve.balance - 1 })
      tx.put(accounts, to, { ...account, balance: account.balance + 1 })
      tx.append({ type: 'transferred', from: RESERVE, to, amount: 1 })
    })
  }
}

function askTheFraudDesk(): Promise<void> {
  return sleep(Math.random() * 2)
}

function twoOwners(): [string, string] {
  const first = Math.floor(Math.random() * OWNERS.length)
  const second = (first + 1 + Math.floor(Math.random() * (OWNERS.length - 1))) % OWNERS.length
  return [OWNERS[first] as string, OWNERS[second] as string]
}

function total(): number {
  return [...accounts.range().values()].reduce((sum, { balance }) => sum + balance, 0)
}

function balances(): string {
  return JSON.stringify([...accounts.range()].map(([id, { balance }]) => [id, balance]))
}

/** The balances as the events alone tell them. */
function balancesByEvents(): string {
  const found = new Map<string, number>()
  const add = (id: string, amount: number): void => void found.set(id, (found.get(id) ?? 0) + amount)
  for (const { event } of store.events()) {
    if (event.type === 'opened') add(event.id, event.balance)
    else {
      add(event.from, -event.amount)
      add(event.to, event.amount)
    }
  }
  return JSON.stringify([...found].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
