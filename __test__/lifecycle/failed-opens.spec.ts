// A failed opening leaves nothing behind in the process, whatever it failed of.
import test from 'ava'
import { runChild } from '../support/child.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const onLinux = process.platform === 'linux' ? test : test.skip

onLinux('no handle and no thread of openings that failed is left', async (t) => {
  // One thread for Node's calls, so that their number stays the same.
  const env = { UV_THREADPOOL_SIZE: '1' }
  const { code, stderr, reports } = await runChild(new URL('failed-opens.ts', import.meta.url), { args: [temporaryFolder(t)], env })
  t.is(code, 0, stderr)
  const names = ['none there', 'another codec', 'another option', 'a broken identity', 'no folder', 'no log', 'a broken log', 'given up']
  t.deepEqual(
    reports,
    names.map((name) => `${name}: 12 of 12 failed, 0 handles and 0 threads are left`),
  )
})
