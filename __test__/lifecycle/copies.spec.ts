// Bug: the second evaluation of the package in a thread (Jest's test files, vi.resetModules, hot reload, a copy for each dependant) could open nothing:
// "the hot calls of this environment exist already". Mechanism: native code had one environment and one wake-up function for the first who came, known
// to its module alone. Fix: copies find each other by an object of the thread, share calls, wake-ups and the open transaction, and know each other's
// classes by a mark.
import test from 'ava'
import { runChild } from '../support/child.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const TOGETHER = [
  'reads "of one"',
  'events 50 50',
  'in the transaction: ERR_TRANSACTION_OPEN',
  'refused ERR_TRANSACTION_OPEN, reads "of one"',
  '"the collection of two"',
  'locked undefined',
  'true true false false',
  'none',
  'log ERR_LOCKED',
  'left 0 0',
]

const OF_ANOTHER_BINARY = 'another owner or a copy of this package with a separate native binary'

for (const [scene, what, expected] of [
  ['two-graphs', 'two evaluations over one binary work together', TOGETHER],
  ['two-binaries', 'two installations with a binary each work together', TOGETHER],
  ['module-and-commonjs', 'the ES modules and the CommonJS build work together', TOGETHER],
  ['two-versions', 'another version in the same thread is refused', ['ERR_VERSION_MISMATCH true 0.0.1']],
  // Bug: a copy that loaded its own binary in another thread got the error that "another process" has the store, and a copy of another version got no word of
  // versions. Mechanism: two binaries know nothing of each other but the folder's lock, whose hint had the pid alone. Fix: the hint has the version too, and
  // what tells this process from another container's with the same pid.
  [
    'two-binaries-in-two-threads',
    'a binary of its own in another thread is refused and told why, and by the version if that differs',
    [
      `store ERR_LOCKED own pid false undefined: ${OF_ANOTHER_BINARY}`,
      `log ERR_LOCKED own pid false undefined: ${OF_ANOTHER_BINARY}`,
      'worker 0',
      'store ERR_VERSION_MISMATCH no pid true 0.0.1-beta: another version',
      'log ERR_VERSION_MISMATCH no pid true 0.0.1-beta: another version',
      'worker 0',
      'store opened',
      'log opened',
      'worker 0',
    ],
  ],
] as const) {
  test(what, async (t) => {
    const { code, signal, stderr, reports, hung } = await runChild(new URL('copy-scenes.ts', import.meta.url), { args: [scene, temporaryFolder(t)] })
    t.deepEqual({ code, signal, hung, stderr, reports }, { code: 0, signal: null, hung: false, stderr: '', reports: [...expected] })
  })
}
