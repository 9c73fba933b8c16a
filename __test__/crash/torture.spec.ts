// The long run's own program, in short: that it runs every kind of scene and reports what it did, and that it finds a loss when there is one.
import { existsSync, rmSync } from 'node:fs'
import test from 'ava'
import { runChild } from '../support/child.ts'

const TORTURE = new URL('../../scripts/torture.ts', import.meta.url)
const LIMIT_MS = 900_000

function figure(report: string, what: string): number {
  return Number(new RegExp(`^${what}: (\\d+)`, 'm').exec(report)?.[1])
}

test.serial('a short run of four scenes kills, fills, terminates and loses nothing', async (t) => {
  t.timeout(LIMIT_MS)
  const { code, stdout, stderr } = await runChild(TORTURE, { args: ['--scenes', '4'], limitMs: LIMIT_MS })
  t.log(stdout)
  t.deepEqual([code, stderr], [0, ''])
  t.is(figure(stdout, 'lost'), 0)
  t.is(figure(stdout, 'failed scenes'), 0)
  t.true(figure(stdout, 'kills') >= 4 && figure(stdout, 'rounds') >= figure(stdout, 'kills'))
  t.true(figure(stdout, 'workers terminated') > 0)
  t.true(figure(stdout, 'commits acknowledged') > 10)
  t.true(figure(stdout, 'full-disk episodes') > 0 || stdout.includes('SKIPPED'))
})

test.serial('a planted loss is found, counted, and ends the run with 1; the folder is kept', async (t) => {
  t.timeout(LIMIT_MS)
  const { code, stdout } = await runChild(TORTURE, { args: ['--scenes', '1', '--plant-loss'], limitMs: LIMIT_MS })
  t.log(stdout)
  t.is(code, 1)
  t.true(figure(stdout, 'lost') >= 1)
  t.is(figure(stdout, 'failed scenes'), 1)
  t.regex(stdout, /acknowledged and lost|is lost/)
  const kept = /kept in (.+)$/m.exec(stdout)?.[1] as string
  t.true(existsSync(kept))
  rmSync(kept, { recursive: true })
})
