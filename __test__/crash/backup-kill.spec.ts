// SIGKILL while a child writes and backs up, and while another restores: whatever was published restores to a state that was, at least the last one that was
// reported; a place has the whole store or is free; the next try works, and nothing of the dead ones stays. Elsewhere half a backup looked like a backup.
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { open, restore } from '../../src/index.ts'
import { Child } from '../support/child.ts'
import { Random, runSeed } from '../support/random.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const MAKER = new URL('backup-maker.ts', import.meta.url)
const RESTORER = new URL('restorer.ts', import.meta.url)
const ROUNDS = Number(process.env['LEDGERSTONE_BACKUP_KILLS'] ?? 30)
const MAX_DELAY_MS = 250

interface Reported {
  readonly last: (word: string) => number | undefined
}

test('a kill at any moment of a backup or a restore leaves what can be restored, and room for the next try', async (t) => {
  t.timeout(3_600_000)
  const folder = temporaryFolder(t)
  const [path, backups] = [join(folder, 'store'), join(folder, 'backups')]
  const seed = runSeed()
  const random = new Random(seed)
  const found = { inBackup: 0, inRestore: 0, backups: 0, restored: 0, leftovers: 0 }
  let newest = await firstBackup(path, backups)
  for (let round = 0; round < ROUNDS; round++) {
    const where = `seed ${seed} round ${round}`
    const maker = await killed(t, where, random, MAKER, [path, backups, String(random.bits())])
    const made = maker.last('made')
    if (made !== undefined) found.backups++
    newest = Math.max(newest, made ?? 0)
    found.leftovers += existsSync(backups) && readdirSync(backups).some((name) => name.includes('pending')) ? 1 : 0
    found.inBackup++
    const n = await stateAt(t, where, backups, join(folder, `after ${round}`), newest)
    const store = await open(path)
    t.true((store.state.get('n') as number) >= n, `${where}: the backup is ahead of its store`)
    await store.close()

    const places = join(folder, `places ${round}`)
    const restorer = await killed(t, where, random, RESTORER, [backups, places])
    const begun = restorer.last('begins') ?? 0
    const whole = restorer.last('made') ?? -1
    found.inRestore++
    found.restored += whole + 1
    for (let place = 0; place <= begun; place++) {
      const target = join(places, String(place))
      if (place <= whole) t.true(existsSync(target), `${where}: ${place}`)
      if (!existsSync(target)) await restore(backups, target)
      await check(t, where, target, newest)
    }
    const names = readdirSync(places)
    t.deepEqual(
      names.filter((name) => name.endsWith('.restoring')),
      [],
      `${where}: ${names.join()}`,
    )
    rmSync(places, { recursive: true })
  }
  const store = await open(path)
  await store.backupTo(backups, { keepFull: 1 })
  await store.close()
  t.true(readdirSync(backups).every((name) => !name.includes('pending')))
  t.log(`${ROUNDS} rounds, seed ${seed}: ${JSON.stringify(found)}`)
})

/** The first commit as the child makes them, so that every round has something to restore. */
async function firstBackup(path: string, backups: string): Promise<number> {
  const store = await open(path)
  store.apply((tx) => {
    tx.put(store.state, 'n', 1)
    tx.put(store.state, 'key 1', { number: 1 })
    tx.append({ number: 1 })
  })
  const { seq } = await store.backupTo(backups)
  await store.close()
  return seq
}

/** Starts a child and kills it at a random moment; what it had reported by then. */
async function killed(t: ExecutionContext, where: string, random: Random, program: URL, args: readonly string[]): Promise<Reported> {
  const child = new Child(program, { args })
  await child.reported('open')
  await sleep(random.below(MAX_DELAY_MS))
  child.kill('SIGKILL')
  const { signal, stderr, reports } = await child.ended
  t.is(signal, 'SIGKILL', `${where}: ${stderr}`)
  t.deepEqual(
    reports.filter((line) => line.startsWith('failed')),
    [],
    where,
  )
  const last = (word: string): number | undefined => {
    const line = reports.findLast((report) => report.startsWith(`${word} `))
    return line === undefined ? undefined : Number(line.slice(word.length))
  }
  return { last }
}

/** Restores the newest backup, looks at it and removes it; the number of its last commit. */
async function stateAt(t: ExecutionContext, where: string, backups: string, target: string, atLeast: number): Promise<number> {
  const { seq } = await restore(backups, target)
  await check(t, where, target, atLeast)
  rmSync(target, { recursive: true })
  return seq
}

/** A state that was: all that commits up to one number have written, and nothing of later ones. */
async function check(t: ExecutionContext, where: string, target: string, atLeast: number): Promise<void> {
  const store = await open(target, { create: false })
  const n = store.state.get('n') as number
  t.true(n >= atLeast, `${where}: ${n} is older than ${atLeast}, which was reported`)
  t.is(store.nextEventId, n + 1, where)
  let next = 1
  for (const { id, event } of store.events()) {
    if (id !== next || (event as { number: number }).number !== next) t.fail(`${where}: event ${id}`)
    next++
  }
  t.is(next, n + 1, where)
  for (let number = Math.max(1, n - 4999); number <= n; number++) {
    const entry = store.state.get(`key ${number % 5000}`) as { number: number } | undefined
    if (entry?.number !== number) t.fail(`${where}: key ${number % 5000} has ${entry?.number}, not ${number}`)
  }
  t.is(store.state.range().count(), Math.min(n, 5000) + 1, where)
  t.like(await store.verify(), { ok: true }, where)
  await store.close()
}
