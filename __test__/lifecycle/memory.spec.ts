// Memory is bounded in bytes, whatever the writers do: a million commits by a producer that never waits for the disk.
//
//   LEDGERSTONE_COMMITS=5000000 npm test -- __test__/lifecycle/memory.spec.ts
import test from 'ava'
import { runChild } from '../support/child.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const COMMITS = Number(process.env['LEDGERSTONE_COMMITS'] ?? 200_000)
const LIMIT_MS = 3_600_000
const FLUSH_BYTES = 1 << 20
const MEBIBYTE = 1 << 20
const SCATTERED = 150_000
/** Two deltas, the leaves that one of them dirties (docs/ARCHITECTURE.md, Bounds), and what the heaps of C and JavaScript do not give back. */
const OWN_BYTES = 48 * MEBIBYTE
const WARM_UP = 10
/** More than one of its transactions keeps. */
const TRANSACTION_BYTES = 1000

interface Sample {
  readonly n: number
  readonly rss: number
  readonly own: number
  readonly heapUsed: number
  readonly deltaBytes: number
  readonly unflushed: number
  readonly stateBytes: number
}

for (const how of ['apply', 'transact'] as const) {
  test.serial(`memory stays where it was over ${COMMITS / 1e6} million commits by ${how}`, async (t) => {
    t.timeout(LIMIT_MS)
    const ended = await runChild(new URL('memory.ts', import.meta.url), {
      args: [temporaryFolder(t), String(COMMITS), how],
      nodeArgs: ['--expose-gc'],
      limitMs: LIMIT_MS,
    })
    t.deepEqual([ended.code, ended.stderr, ended.reports.at(-1)], [0, '', 'closed'])
    const samples = ended.reports.slice(0, -1).map((line) => JSON.parse(line) as Sample)
    const early = samples.slice(0, WARM_UP)
    const late = samples.slice(WARM_UP)
    const most = (of: readonly Sample[], what: keyof Sample): number => Math.max(...of.map((sample) => sample[what]))
    t.log(
      `rss ${mebibytes(most(early, 'rss'))} then ${mebibytes(most(late, 'rss'))}, heap ${mebibytes(most(late, 'heapUsed'))}, delta up to ${mebibytes(most(samples, 'deltaBytes'))} MiB`,
    )
    t.true(most(late, 'rss') < most(early, 'rss') + 64 * MEBIBYTE)
    t.true(most(late, 'heapUsed') < most(early, 'heapUsed') + 8 * MEBIBYTE)
    t.true(most(samples, 'deltaBytes') < 2 * FLUSH_BYTES + TRANSACTION_BYTES, 'what is not flushed has a bound')
  })
}

// Keys all over: every flush touches nearly as many of LMDB's leaves as it has operations. What it keeps of them is the size of a few deltas, not
// that of the data.
test.serial('what flushes of scattered keys keep does not grow with the data', async (t) => {
  if (process.platform !== 'linux') return t.log("skipped: only Linux tells memory of one's own from mapped files")
  t.timeout(LIMIT_MS)
  const ended = await runChild(new URL('memory.ts', import.meta.url), {
    args: [temporaryFolder(t), String(SCATTERED), 'scattered'],
    nodeArgs: ['--expose-gc'],
    limitMs: LIMIT_MS,
  })
  t.deepEqual([ended.code, ended.stderr, ended.reports.at(-1)], [0, '', 'closed'])
  const samples = ended.reports.slice(0, -1).map((line) => JSON.parse(line) as Sample)
  const { own: first } = samples[0] as Sample
  const own = Math.max(...samples.map((sample) => sample.own))
  const stateBytes = (samples.at(-1) as Sample).stateBytes
  t.log(`own memory ${mebibytes(first)} then up to ${mebibytes(own)}, state ${mebibytes(stateBytes)} MiB`)
  t.true(stateBytes > 2 * OWN_BYTES, 'there is more data than memory')
  t.true(own - first < OWN_BYTES)
})

function mebibytes(bytes: number): string {
  return (bytes / MEBIBYTE).toFixed(1)
}
