// One timer for all who wait for locks: those whose time is over are reported, in order; the others wait on; nothing is left when none waits.
import test from 'ava'
import { TimeLimits } from '../../src/lock-manager/time-limits.ts'

const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

test.serial('thousands who wait have one timer, and none when all have gone', (t) => {
  const before = timers()
  const limits = new TimeLimits(() => {})
  for (let token = 0; token < 4096; token++) {
    limits.add(token, 1000 + ((token * 7919) % 60_000))
    t.true(timers() - before <= 1)
  }
  for (let token = 0; token < 4095; token++) limits.delete(token)
  t.is(timers() - before, 1)
  limits.delete(4095)
  t.is(timers() - before, 0)
  limits.delete(4095)
})

test.serial('those whose time is over are told once, in the order of their times, and others not', async (t) => {
  const over: number[] = []
  const limits = new TimeLimits((token) => {
    over.push(token)
    if (token === 2) limits.delete(4) // it is granted just then
    if (token === 3) limits.add(6, 1) // and somebody else begins to wait
  })
  for (const [token, timeoutMs] of [
    [1, 30],
    [2, 10],
    [3, 20],
    [4, 25],
    [5, 60_000],
  ] as const)
    limits.add(token, timeoutMs)
  while (over.length < 4) await sleep(5)
  await sleep(5)
  t.deepEqual(
    over.filter((token) => token !== 6),
    [2, 3, 1],
  )
  t.true(over.includes(6))
  limits.delete(5)
  t.is(timers(), 0)
})
