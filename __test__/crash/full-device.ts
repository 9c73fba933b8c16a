// What a store does on a full device, seen on a real one: a program for each scene, its folder on a separate small device.
//
//   full-device.ts SCENE DEVICE
import assert from 'node:assert/strict'
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type CanonicalStore, type LedgerstoneError, NoSpaceError, open, type OpenOptions } from 'ledgerstone'
import { Child, runChild } from '../support/child.ts'
import { report } from '../support/report.ts'
import { Ballast } from './ballast.ts'

interface Noted {
  readonly n: number
}
type Store = CanonicalStore<Noted>

const OPTIONS: OpenOptions<Noted> = { flush: { bytes: 256 * 1024, intervalMs: 20 }, segmentBytes: 64 * 1024, durability: 'durable' }
const COMMITS_BEFORE = 50
const PADDING = 'p'.repeat(6000)
const RETRY_MS = 20
const KIBIBYTE = 1024

const [scene, device] = process.argv.slice(2) as [string, string]
const path = join(device, 'store')
const ballast = new Ballast(join(device, 'ballast'))

const scenes: Record<string, () => Promise<void>> = {
  heals: async () => {
    const store = await open<Noted>(path, OPTIONS)
    let newest = 0
    for (let round = 1; round <= 3; round++) {
      newest = await write(store, newest, COMMITS_BEFORE)
      ballast.fill()
      newest = await writeUntilFull(store, newest)
      await refusesEveryWrite(store, newest)
      checkReading(store, newest)
      ballast.remove()
      newest = await writeAgain(store, newest)
      await store.flush()
      checkReading(store, newest)
      report(`healed ${newest}`)
    }
    await store.close()
    await opensWith(newest)
  },
  closes: async () => {
    const store = await open<Noted>(path, OPTIONS)
    ballast.fill()
    const newest = await writeUntilFull(store, 0)
    const { durable } = store.stats().levels
    const closed = await codeOf(() => store.close())
    report(`close ${closed ?? 'resolved'}`)
    // What was applied and found no room in the journal is what closing cannot keep, and it says so.
    assert.ok(closed === undefined || (closed === 'ERR_NO_SPACE' && durable < newest), String(closed))
    const full = await codeOf(() => opensWith(closed === undefined ? newest : durable))
    report(`opened on the full device: ${full ?? 'yes'}`)
    assert.ok(full === undefined || full === 'ERR_NO_SPACE', full)
    ballast.remove()
    await opensWith(closed === undefined ? newest : durable)
  },
  'is-killed': async () => {
    for (let round = 0; round < 3; round++) {
      const child = new Child(new URL(import.meta.url), { args: ['writes-until-full', device] })
      await child.reported('full')
      child.kill('SIGKILL')
      const { signal, reports, stderr } = await child.ended
      assert.equal(signal, 'SIGKILL', stderr)
      const durable = Number(reports.findLast((line) => line.startsWith('durable '))?.split(' ')[1])
      const full = await codeOf(() => opensWith(durable))
      report(`opened on the full device: ${full ?? 'yes'}`)
      assert.ok(full === undefined || full === 'ERR_NO_SPACE', full)
      ballast.remove()
      const newest = await opensWith(durable)
      report(`killed with ${durable}, found ${newest}`)
    }
  },
  'writes-until-full': async () => {
    const store = await open<Noted>(path, OPTIONS)
    const newest = await write(store, store.nextEventId - 1, 20)
    ballast.fill()
    const applied = await writeUntilFull(store, newest, (n) => report(`durable ${n}`))
    report('full')
    for (let n = applied + 1; ; n++)
      await commit(store, n).then(
        () => report(`durable ${n}`),
        () => sleep(1),
      )
  },
  'is-made': async () => {
    const outcomes = new Map([
      ['ERR_NO_SPACE', 0],
      ['made', 0],
    ])
    for (const spare of spares()) {
      ballast.fill(spare)
      const code = (await codeOf(() => opensWith(0))) ?? 'made'
      outcomes.set(code, (outcomes.get(code) ?? 0) + 1)
      assert.ok(code === 'made' || code === 'ERR_NO_SPACE', `${code} with ${spare} bytes free`)
      assert.equal(spare >= 1024 || code === 'ERR_NO_SPACE', true)
      ballast.remove()
      await opensWith(0)
      rmSync(path, { recursive: true })
    }
    report(`made: ${JSON.stringify(Object.fromEntries(outcomes))}`)
  },
  'is-opened': async () => {
    const { signal } = await runChild(new URL(import.meta.url), { args: ['dies', device] })
    assert.equal(signal, 'SIGKILL')
    const kept = join(device, 'kept')
    cpSync(path, kept, { recursive: true })
    const outcomes = new Map([
      ['ERR_NO_SPACE', 0],
      ['opened', 0],
    ])
    for (const spare of spares()) {
      ballast.fill(spare)
      const { signal, stderr } = await runChild(new URL(import.meta.url), { args: ['opens-and-dies', device] })
      assert.equal(signal, 'SIGKILL', `${stderr} with ${spare} bytes free`)
      const code = (await codeOf(() => opensWith(COMMITS_BEFORE))) ?? 'opened'
      outcomes.set(code, (outcomes.get(code) ?? 0) + 1)
      assert.equal(code, 'opened', `with ${spare} bytes free`)
      ballast.remove()
      await opensWith(COMMITS_BEFORE)
      rmSync(path, { recursive: true })
      cpSync(kept, path, { recursive: true })
    }
    report(`opened: ${JSON.stringify(Object.fromEntries(outcomes))}`)
  },
  'opens-and-dies': async () => {
    checkReading(await open<Noted>(path, OPTIONS), COMMITS_BEFORE)
    process.kill(process.pid, 'SIGKILL')
  },
  dies: async () => {
    const store = await open<Noted>(path, { ...OPTIONS, flush: { intervalMs: 60_000 } })
    await write(store, 0, COMMITS_BEFORE / 2)
    await store.flush()
    await write(store, COMMITS_BEFORE / 2, COMMITS_BEFORE / 2)
    process.kill(process.pid, 'SIGKILL')
  },
}
await scenes[scene]?.()

/** How much room is left: none, a page more each time, then in larger steps up to what a new store needs. */
function spares(): number[] {
  const pages = Array.from({ length: 24 }, (_, i) => i * 4 * KIBIBYTE)
  const more = Array.from({ length: 22 }, (_, i) => (96 + i * 64) * KIBIBYTE)
  return [...pages, ...more]
}

function commit(store: Store, n: number): Promise<unknown> {
  return store.transact((tx) => {
    tx.put(store.state, `k${n % 40}`, `${n} ${PADDING}`)
    tx.put(store.state, 'newest', n)
    tx.append({ n })
  })
}

async function write(store: Store, from: number, count: number): Promise<number> {
  for (let n = from + 1; n <= from + count; n++) await commit(store, n)
  return from + count
}

/** Commits until one is refused; what was applied and cannot become durable yet is waited for by nobody. The newest applied. */
async function writeUntilFull(store: Store, from: number, acknowledged?: (n: number) => void): Promise<number> {
  for (let n = from + 1; ; n++) {
    try {
      const handle = store.apply((tx) => {
        tx.put(store.state, `k${n % 40}`, `${n} ${PADDING}`)
        tx.put(store.state, 'newest', n)
        tx.append({ n })
      })
      handle.wait('durable').then(
        () => acknowledged?.(n),
        () => {},
      )
      await Promise.race([handle.wait('durable').catch(() => {}), sleep(5 * RETRY_MS)])
    } catch (error) {
      assert.ok(error instanceof NoSpaceError, String(error))
      return n - 1
    }
  }
}

/** Typed, worth repeating, and nothing of it is there. */
async function refusesEveryWrite(store: Store, newest: number): Promise<void> {
  const big = 'x'.repeat(3 << 20) // more than any reserve
  const before = store.stats().levels.applied
  const writes: Record<string, () => unknown> = {
    apply: () => store.apply((tx) => [tx.put(store.state, 'never', big), tx.append({ n: -1 })]),
    transact: () => store.transact((tx) => tx.put(store.state, 'never', big)),
    put: () => store.state.put('never', big),
    append: () => store.append({ n: -1, big } as Noted),
    writeTxn: () => {
      const tx = store.writeTxn()
      tx.put(store.state, 'never', big)
      return tx.commit()
    },
  }
  for (const [name, call] of Object.entries(writes)) {
    const error = await errorOf(call)
    assert.ok(error instanceof NoSpaceError, `${name}: ${String(error)}`)
    assert.deepEqual([error.code, error.retryable], ['ERR_NO_SPACE', true], name)
  }
  assert.equal(store.stats().levels.applied, before)
  checkReading(store, newest)
}

async function writeAgain(store: Store, from: number): Promise<number> {
  for (;;) {
    const code = await codeOf(() => commit(store, from + 1))
    if (code === undefined) return from + 1
    assert.equal(code, 'ERR_NO_SPACE')
    await sleep(RETRY_MS)
  }
}

/** Reads everything in every way: exactly what the commits 1 to `newest` leave. */
function checkReading(store: Store, newest: number): void {
  assert.equal(store.failure, undefined)
  assert.equal(store.stats().levels.applied, newest)
  assert.equal(store.nextEventId, newest + 1)
  assert.equal(store.meta().nextEventId, newest + 1)
  const expected = new Map<string, unknown>()
  for (let n = Math.max(1, newest - 39); n <= newest; n++) expected.set(`k${n % 40}`, `${n} ${PADDING}`)
  if (newest > 0) expected.set('newest', newest)
  const snapshot = store.snapshot()
  for (const reader of [store, snapshot]) {
    assert.deepEqual(new Map(reader.range(store.state)), expected)
    assert.equal(reader.get(store.state, 'newest'), newest > 0 ? newest : undefined)
    assert.equal(reader.has(store.state, 'never'), false)
  }
  const ids = [...snapshot.events()].map(({ event }) => event.n)
  snapshot.release()
  assert.deepEqual(
    ids,
    Array.from({ length: newest }, (_, i) => i + 1),
  )
  if (newest > 0) assert.equal(store.event(newest)?.event.n, newest)
}

/** Opens it, finds all that was acknowledged, and closes it again. What it has. */
async function opensWith(acknowledged: number): Promise<number> {
  const store = await open<Noted>(path, OPTIONS)
  try {
    const newest = store.nextEventId - 1
    assert.ok(newest >= acknowledged, `${acknowledged} acknowledged, ${newest} there`)
    checkReading(store, newest)
    return newest
  } finally {
    await store.close()
  }
}

async function errorOf(call: () => unknown): Promise<LedgerstoneError | undefined> {
  try {
    await call()
    return undefined
  } catch (error) {
    return error as LedgerstoneError
  }
}

/** The code of an error of the store; anything else is thrown on. */
async function codeOf(call: () => unknown): Promise<string | undefined> {
  const error = await errorOf(call)
  if (error !== undefined && !(error.code?.startsWith('ERR_') && 'retryable' in error)) throw error
  return error?.code
}
