// retry(): only what may succeed unchanged is tried again, as often as was said, and what fails in the end is the error itself.
import test from 'ava'
import { retry } from '../../src/index.ts'
import { errorOf } from '../../src/errors.ts'
import { codeOf } from '../support/store.ts'

const AT_ONCE = { minDelayMs: 0 }
const busy = errorOf('ERR_BUSY', 'somebody else has it', { waitedMs: 1 })

test('an error that is retryable is tried again until it succeeds, or the attempts are over', async (t) => {
  for (const [attempts, failures, expected] of [
    [undefined, 4, 'done'],
    [undefined, 5, 'ERR_BUSY'],
    [3, 2, 'done'],
    [3, 3, 'ERR_BUSY'],
    [1, 1, 'ERR_BUSY'],
  ] as const) {
    let calls = 0
    const outcome = await retry(
      async () => {
        if (++calls <= failures) throw busy
        return 'done'
      },
      { ...AT_ONCE, attempts },
    ).catch((error: unknown) => error)
    t.is(calls, Math.min(failures + 1, attempts ?? 5))
    t.is(outcome, expected === 'done' ? 'done' : busy, 'the error itself')
  }
})

test('any other error is passed on at once', async (t) => {
  for (const error of [errorOf('ERR_CLOSED', 'the store is closed'), Object.assign(new Error('of its own'), { retryable: true }), 'text', undefined]) {
    let calls = 0
    const failing = (): never => {
      calls++
      throw error
    }
    t.is(
      await retry(failing, AT_ONCE).then(
        () => 'done',
        (thrown: unknown) => thrown,
      ),
      error,
    )
    t.is(calls, 1)
  }
})

test('a signal ends the waiting with its reason, and no listener stays', async (t) => {
  const abort = new AbortController()
  let calls = 0
  const waiting = retry(
    () => {
      calls++
      throw busy
    },
    { minDelayMs: 3_600_000, maxDelayMs: 3_600_000, signal: abort.signal },
  )
  setImmediate(() => abort.abort('enough'))
  t.is(await waiting.catch((reason: unknown) => reason), 'enough')
  t.is(calls, 1)
  t.is(await retry(() => t.fail('it is called'), { signal: AbortSignal.abort('before') }).catch((reason: unknown) => reason), 'before')
})

test('what the options cannot say is refused', async (t) => {
  for (const options of [{ attempts: 0 }, { attempts: 1.5 }, { minDelayMs: -1 }, { maxDelayMs: 2 ** 31 }, { signal: {} }, { colour: 'red' }]) {
    t.is(await codeOf(() => retry(() => t.fail('it is called'), options as never)), 'ERR_INVALID_ARGUMENT')
  }
  t.is(await codeOf(() => retry(5 as never)), 'ERR_INVALID_ARGUMENT')
})
