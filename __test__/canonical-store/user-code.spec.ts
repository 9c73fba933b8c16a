// The user's code runs in the middle of a call: codecs, `toJSON`, getters of options, accessors of arrays, functions of transactions.
//
// Bug: a blind put whose value opened a transaction left the gate taken for the whole process; so did a function that V8 cut off (a time-out of `vm`, the
// end of the stack), and a transaction that its own key codec had ended. Mechanism: a commit that was refused forgot whose the gate was; nobody but a
// `finally` gave it back; it was taken without a look at whether the transaction was still open. Fix: a commit gives back what it has taken, the end of the
// turn ends what is still open, and whatever may run the user's code is done before it is looked and acted.
import test from 'ava'
import { runChild } from '../support/child.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const SCENES = new URL('user-code-scenes.ts', import.meta.url)

test("whatever the user's code does in the middle of a call, this thread and others can write afterwards", async (t) => {
  t.timeout(170_000)
  const ended = await runChild(SCENES, { args: [temporaryFolder(t)], nodeArgs: ['--expose-gc'], limitMs: 160_000 })
  t.deepEqual(ended.reports, ['304 cases'])
  t.deepEqual([ended.code, ended.hung], [0, false], ended.stderr)
})
