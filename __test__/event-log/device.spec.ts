// A device that fails and one that is full: after the one only opening again heals, the other heals by itself, and neither loses what was
// acknowledged. Elsewhere the next record went behind the garbage of a failed write, and nothing after it was readable.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { devicesIn } from '../crash/small-device.ts'
import { runChild } from '../support/child.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { logPath } from './log-folder.ts'

const SCENES = new URL('device-scenes.ts', import.meta.url)
const MEBIBYTES = 8

interface Told {
  readonly what: string
  readonly code: string
  readonly name: string
  readonly retryable: boolean
  readonly cause?: string
}

function toldIn(reports: readonly string[]): Told[] {
  return reports.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Told)
}

const onUnix = process.platform === 'win32' ? test.skip : test

onUnix('a write that fails half way poisons the log: every write says so, reads go on, opening again heals', async (t) => {
  // Files may not grow beyond 4 MiB (8 in shells that count in KiB): a failure that no retry can mend, but not a full device.
  const runner = ['sh', '-c', 'ulimit -f 8192; exec "$@"', 'sh'] as const
  const { code, stderr, reports } = await runChild(SCENES, { args: ['fails', logPath(t)], runner })
  t.deepEqual([code, stderr], [0, ''])
  const told = toldIn(reports)
  t.like(told[0], { what: 'the append', code: 'ERR_IO', name: 'IoError', retryable: false })
  const poisoned = told.slice(1, 7)
  t.deepEqual(
    poisoned.map(({ what }) => what),
    ['appendWithId', 'appendBatchWithIds', 'rotate', 'sync', 'deleteRange', 'close'],
  )
  for (const one of poisoned) t.deepEqual(one, { what: one.what, code: 'ERR_POISONED', name: 'PoisonedError', retryable: false, cause: 'ERR_IO' })
  t.true(reports.includes('reads go on: true') && reports.includes('opened again: true'), reports.join('\n'))
  t.true(Number(reports.find((line) => line.startsWith('acknowledged '))?.split(' ')[1]) > 100)
})

onUnix('a full device is ERR_NO_SPACE, and it goes on when there is room', async (t) => {
  const folder = temporaryFolder(t)
  const work = join(folder, 'work')
  mkdirSync(work)
  for (const [i, device] of devicesIn(work).entries()) {
    if (!('runner' in device)) {
      t.log(`SKIPPED: no ${device.kind} here: ${device.reason}`)
      t.pass()
      continue
    }
    const at = join(folder, `device ${i}`)
    mkdirSync(at)
    const { code, stderr, reports } = await runChild(SCENES, { args: ['full', at], runner: device.runner(at, work, MEBIBYTES) })
    t.deepEqual([code, stderr], [0, ''], device.kind)
    const told = toldIn(reports)
    t.is(told.length, 4, device.kind)
    for (const one of told) t.deepEqual(one, { what: 'the append', code: 'ERR_NO_SPACE', name: 'NoSpaceError', retryable: true })
    t.deepEqual(
      reports.filter((line) => !line.startsWith('{')),
      ['full true', 'the same: true', 'healed: true true', 'opened again: true'],
      device.kind,
    )
  }
})
