// Thousands may wait under one signal: Node warns of a leak when each of them listens for itself.
import { getEventListeners } from 'node:events'
import test from 'ava'
import { AbortWatch } from '../../src/internal/abort.ts'

test('all waiters of a signal share one listener, which goes with the last of them', (t) => {
  const watch = new AbortWatch()
  const { signal } = new AbortController()
  const releases = Array.from({ length: 4096 }, () => watch.add(signal, () => t.fail()))
  t.is(getEventListeners(signal, 'abort').length, 1)
  for (const release of releases.slice(1)) release()
  t.is(getEventListeners(signal, 'abort').length, 1)
  releases[0]?.()
  releases[0]?.()
  t.is(getEventListeners(signal, 'abort').length, 0)
})

test('an abort reaches those who still wait, with its reason', (t) => {
  const watch = new AbortWatch()
  const controller = new AbortController()
  const reasons: unknown[] = []
  watch.add(controller.signal, () => t.fail())()
  watch.add(controller.signal, (reason) => reasons.push(reason))
  const late = watch.add(controller.signal, (reason) => reasons.push(reason))
  controller.abort('enough')
  late()
  t.deepEqual(reasons, ['enough', 'enough'])
  t.is(getEventListeners(controller.signal, 'abort').length, 0)
})

test('a race ends with what comes first', async (t) => {
  const watch = new AbortWatch()
  const controller = new AbortController()
  t.is(await watch.race(Promise.resolve(1), controller.signal), 1)
  t.is(getEventListeners(controller.signal, 'abort').length, 0)
  await t.throwsAsync(watch.race(Promise.reject(new Error('own')), controller.signal), { message: 'own' })
  const waiting = watch.race(new Promise(() => {}), controller.signal)
  controller.abort(new Error('given up'))
  await t.throwsAsync(waiting, { message: 'given up' })
})
