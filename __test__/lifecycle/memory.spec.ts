// Memory is bounded in bytes, whatever the writers do: a million commits by a producer that never waits for the disk.
//
//   LEDGERSTONE_COMMITS=5000000 npm test -- __test__/lifecycle/memory.spec.ts
import test from 'ava'
import { runChild } from '../support/child.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const COMMITS = Number(process.env['LEDGERSTONE_COMMITS'] ?? 1_000_000)
const FLUSH_BYTES = 1 << 20
const MEBIBYTE = 1 << 20
const WARM_UP = 10

interface Sample { readonly n: number; readonly rss: number; readonly heapUsed: number; readonly deltaBytes: number; readonly unflushed: number }

for (const how of ['apply', 'transact'] as const) {
  test.serial(`memory stays where it was over ${COMMITS / 1e6} million commits by ${how}`, async (t) => {
    t.timeout(COMMITS)
    const ended = await runChild(new URL('memory.ts', import.meta.url), {
      args: [temporaryFolder(t), String(COMMITS), how],
      nodeArgs: ['--expose-gc'],
      limitMs: COMMITS,
    })
    t.deepEqual([ended.code, ended.stderr, ended.reports.at(-1)], [0, '', 'closed'])
    const samples = ended.reports.slice(0, -1).map((line) => JSON.parse(line) as Sample)
    const early = samples.slice(0, WARM_UP)
    const late = samples.slice(WARM_UP)
    const most = (of: readonly Sample[], what: keyof Sample): number => Math.max(...of.map((sample) => sample[what]))
    t.log(`rss ${mebibytes(most(early, 'rss'))} then ${mebibytes(most(late, 'rss'))}, heap ${mebibytes(most(late, 'heapUsed'))}, delta up to ${mebibytes(most(samples, 'deltaBytes'))} MiB`)
    t.true(most(late, 'rss') < most(early, 'rss') + 64 * MEBIBYTE)
    t.true(most(late, 'heapUsed') < most(early, 'heapUsed') + 8 * MEBIBYTE)
    t.true(most(samples, 'deltaBytes') < 8 * FLUSH_BYTES, 'what is not flushed has a bound')
  })
}

function mebibytes(bytes: number): string {
  return (bytes / MEBIBYTE).toFixed(1)
}
