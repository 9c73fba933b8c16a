// Torments the real package until the time is over or a scene goes wrong: see `__test__/crash/torture.ts`. Ends with a report, and with 1 when
// anything was lost or went wrong. SIGINT ends it after the scene that runs.
//
//   --minutes N       for so long (default 5)
//   --scenes N        or for so many scenes
//   --seed S          the same scenes again; what the clock decides stays the clock's
//   --plant-loss      takes away what one round acknowledged: the report must say so
import { parseArgs } from 'node:util'
import { build } from './build-first.ts'
import { Refusal } from './refusal.ts'

const PROGRESS_EVERY_MS = 30_000
const MINUTE_MS = 60_000

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    scenes: { type: 'string' },
    seed: { type: 'string' },
    'plant-loss': { type: 'boolean', default: false },
  },
})
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : positive('seed', values.seed)
const scenes = values.scenes === undefined ? Infinity : positive('scenes', values.scenes)
const minutes = values.minutes === undefined ? (scenes === Infinity ? 5 : Infinity) : positive('minutes', values.minutes)
const isShort = scenes !== Infinity
/** In a few minutes every kind of scene has its turn. */
const roundsPerFolder = isShort ? 4 : minutes < 5 ? 6 : 20

if ((await build()).failures.length > 0) throw new Refusal('the package does not build')
const { Torture } = await import('../__test__/crash/torture.ts')
const torture = new Torture({ seed, roundsPerFolder, longestMs: isShort ? 150 : 800, plantLoss: values['plant-loss'] })
const startedMs = performance.now()
let interrupted = false
let progressMs = startedMs
process.once('SIGINT', () => (interrupted = true))
const timeIsOver = (): boolean => interrupted || performance.now() - startedMs >= minutes * MINUTE_MS

console.log(`torture: seed ${seed}`)
for (const { kind, reason } of torture.missing) console.log(`SKIPPED: no full ${kind}: ${reason}`)
while (!timeIsOver() && torture.scenes < scenes && torture.failed.length === 0) {
  await torture.scene(timeIsOver)
  if (performance.now() - progressMs < PROGRESS_EVERY_MS) continue
  progressMs = performance.now()
  console.log(`${elapsed()} min: ${torture.totals.rounds} rounds, ${torture.totals.kills} kills, lost: ${torture.lost}`)
}

const { totals, episodes, failed } = torture
const { applied, written, durable } = totals.acknowledged
console.log(`${elapsed()} min, seed ${seed}${interrupted ? ', interrupted' : ''}`)
console.log(`rounds: ${totals.rounds}`)
console.log(`kills: ${totals.kills}`)
console.log(`workers terminated: ${totals.terminated}`)
console.log(`full-disk episodes: ${episodes.tmpfs + episodes.ext4} (tmpfs ${episodes.tmpfs}, ext4 ${episodes.ext4})`)
console.log(`readings beside the writers: ${totals.readings}`)
console.log(`commits acknowledged: ${applied + written + durable} (applied ${applied}, written ${written}, durable ${durable})`)
console.log(`frames replayed: ${totals.replayed}`)
console.log(`failed scenes: ${failed.length}`)
for (const { scene, seed: its, message, kept } of failed)
  console.log(`  ${scene}, its seed ${its}, kept in ${kept}\n    ${message}\n  again: npm run torture -- --seed ${seed}`)
console.log(`lost: ${torture.lost}`)
process.exitCode = failed.length > 0 ? 1 : 0

function elapsed(): string {
  return ((performance.now() - startedMs) / MINUTE_MS).toFixed(1)
}

function positive(name: string, text: string): number {
  const number = Number(text)
  if (!(number > 0)) throw new Refusal(`--${name} is a positive number`)
  return number
}
