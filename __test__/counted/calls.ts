// What the tests of this room count: native calls of this environment, wakes, and what the store says of itself.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { binding, type ColdCalls, type HotCalls } from '../../src/native/binding.ts'
import { Environment } from '../../src/native/environment.ts'

export type Calls = Record<keyof HotCalls | 'wakes', number>

const cold = binding() as ColdCalls & { counters(): Calls; threadsStarted(): number }

/** How many threads the binding has started in this process for what may take long. */
export const threadsStarted = (): number => cold.threadsStarted()

/** How often each hot call was made while `work` ran; those that were not are left out. */
export function callsOf(work: () => void): Partial<Calls> {
  const before = cold.counters()
  work()
  return since(before)
}

/** The same, up to the moment the promise settles. */
export async function callsUntil(work: () => Promise<unknown>): Promise<Partial<Calls>> {
  const before = cold.counters()
  await work()
  return since(before)
}

function since(before: Calls): Partial<Calls> {
  const after = Object.entries(cold.counters()) as [keyof Calls, number][]
  return Object.fromEntries(after.map(([name, count]) => [name, count - before[name]] as const).filter(([, count]) => count !== 0))
}

/** How often each cold call was made while `work` ran. */
export function coldCallsOf(work: () => unknown): Record<string, number> {
  const environment = Environment.current() as { cold: ColdCalls }
  const { cold: real } = environment
  const made: Record<string, number> = {}
  environment.cold = new Proxy(real, {
    get(calls, name: keyof ColdCalls) {
      made[name] = (made[name] ?? 0) + 1
      return calls[name]
    },
  })
  try {
    work()
  } finally {
    environment.cold = real
  }
  return made
}

/** The number of LMDB's newest write transaction, read from the file itself. */
export function lmdbTransaction(path: string): number {
  const file = readFileSync(join(path, 'state', 'data.mdb'))
  const pageBytes = file.readUInt32LE(40)
  return Math.max(...[0, pageBytes].map((page) => Number(file.readBigUInt64LE(page + 144))))
}
