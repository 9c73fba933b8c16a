// Three-phase transactions as users write them. Nothing here runs: the type check proves what compiles and, by each `@ts-expect-error`, what must not.
import {
  json,
  LedgerstoneError,
  open,
  PreflightRejectedError,
  retry,
  type CheckReport,
  type KeyRef,
  type KeySet,
  type Phases,
  type PhasesOptions,
  type PreflightContext,
} from '../../src/index.ts'

interface Account {
  owner: string
  balance: number
}
type BankEvent = { type: 'transferred'; from: string; to: string; amount: number } | { type: 'opened'; id: string }

const store = await open<BankEvent>('./bank')
const accounts = store.collection('accounts', { value: json<Account>() })

export async function transfer(from: string, to: string, amount: number, signal?: AbortSignal): Promise<number> {
  try {
    const { result, seq } = await store.transact(
      {
        keys: { read: [accounts.key(from)], write: [accounts.key(to)] },
        preflight: async (ctx) => {
          const account = ctx.get(accounts, from)
          if (!account || account.balance < amount) return ctx.reject('insufficient funds')
          await new Promise((resolve) => setTimeout(resolve, 1))
          return account
        },
        apply: (tx, account) => {
          const balance: number = account.balance
          tx.put(accounts, from, { ...account, balance: balance - amount })
          // @ts-expect-error a value may be missing
          tx.put(accounts, to, tx.get(accounts, to))
          return tx.append({ type: 'transferred', from, to, amount })
        },
      },
      { timeoutMs: 5000, signal },
    )
    return result + seq
  } catch (error) {
    if (error instanceof PreflightRejectedError) console.log(error.errors.join(', '))
    if (error instanceof LedgerstoneError && error.retryable) return transfer(from, to, amount, signal)
    throw error
  }
}

// apply written before preflight, preflight synchronous, keys as a function
await store.transact({
  apply: (tx, x) => {
    const n: number = x.n
    tx.append({ type: 'opened', id: String(n) })
  },
  preflight: () => ({ n: 1 }),
  keys: () => ({ write: [accounts.key('a')] }),
})
await store.transact({
  keys: {},
  async preflight(ctx) {
    return ctx.has(accounts, 'x')
  },
  apply(_tx, there) {
    const is: boolean = there
    return is
  },
})
const nothing = await store.transact({
  keys: {},
  preflight: async (ctx) => {
    if (!ctx.has(accounts, 'a')) ctx.reject('no')
  },
  apply: (tx) => tx.append({ type: 'opened', id: 'a' }),
})
export const id: number = nothing.result

// @ts-expect-error a callback is synchronous
await store.transact({ keys: {}, preflight: () => 1, apply: async () => 1 })
// @ts-expect-error no such event
await store.transact({ keys: {}, preflight: () => 1, apply: (tx) => tx.append({ type: 'nope' }) })
// @ts-expect-error names are for locks, a preflight declares keys
await store.transact({ keys: { read: ['a'] }, preflight: () => 1, apply: () => 1 })
// @ts-expect-error a key of the collection's type
accounts.keys({ gte: 5 })
// @ts-expect-error something has to be said
await store.check({ keys: {}, preflight: (ctx) => ctx.reject() })

const span: KeyRef = accounts.keys({ prefix: 'eu-' })
const keys: KeySet = { read: [span, accounts.key('a')], write: undefined }
const options: PhasesOptions = { durability: 'written', timeoutMs: undefined, signal: undefined }
const phases: Phases<BankEvent, number, string> = {
  keys,
  preflight: (ctx: PreflightContext) => ctx.range(accounts, { prefix: 'eu-' }).count(),
  apply: (_tx, count) => String(count),
}
export const text: string = (await retry(() => store.transact(phases, options), { attempts: 3, minDelayMs: 1, maxDelayMs: 10, signal: undefined })).result
const report: CheckReport = await store.check({ keys, preflight: () => 'anything' }, { timeoutMs: 5 })
export const told: [boolean, string | undefined, string | undefined] = [report.valid, report.errors[0], report.readKeys[0]?.collection]
