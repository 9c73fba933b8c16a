// ERR_FILE_SYSTEM: a folder that other machines share is refused before anything is made in it, and used when that was allowed.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import test from 'ava'
import { open } from '../../src/index.ts'
import { runChild } from '../support/child.ts'
import { storePath } from '../support/store.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/**
 * Runs a program in a separate mount namespace in which every mount claims to be NFS: its table of mounts is a copy with other names. (The shell becomes the
 * program, so the table stays that of its process.)
 */
const ALL_NFS = ['unshare', '-m', 'sh', '-c', 'sed "s/ - [^ ]* / - nfs4 /" /proc/$$/mountinfo > "$0" && mount --bind "$0" /proc/$$/mountinfo && exec "$@"'] as const

function canPretend(table: string): boolean {
  try {
    execFileSync(ALL_NFS[0], [...ALL_NFS.slice(1), table, 'true'], { stdio: 'ignore' })
    return process.platform === 'linux'
  } catch {
    return false
  }
}

test('a network file system is ERR_FILE_SYSTEM with path and type before anything is made, unless it is allowed', async (t) => {
  const folder = temporaryFolder(t)
  const table = join(temporaryFolder(t), 'mounts')
  if (!canPretend(table)) {
    t.log('SKIPPED: a mount namespace is not allowed here; the simulated disk has its own tests of a network file system')
    t.pass()
    return
  }
  const ended = await runChild(new URL('network-store.ts', import.meta.url), { args: [folder], runner: [...ALL_NFS, table] })
  t.deepEqual([ended.code, ended.stderr], [0, ''])
  const missing = join(folder, 'not', 'made', 'yet')
  const refused = (what: string, path: string): string =>
    `${what}: ${JSON.stringify({
      code: 'ERR_FILE_SYSTEM',
      retryable: false,
      path,
      type: 'nfs4',
      name: 'LedgerstoneError',
      message: `a network file system is not allowed, unless by \`allowNetworkFileSystem\`: path=${path} type=nfs4`,
    })}`
  const mismatch = { code: 'ERR_OPTIONS_MISMATCH', retryable: false, option: 'allowNetworkFileSystem', expected: 'true', actual: 'false', name: 'LedgerstoneError' }
  const contradiction = JSON.stringify({
    ...mismatch,
    message: 'the store is open with another value of an option: option=allowNetworkFileSystem expected=true actual=false',
  })
  t.deepEqual(ended.reports, [
    refused('a folder to be made', missing),
    refused('a folder that is there', folder),
    'made: false 0',
    'allowed: 1',
    `a contradiction: ${contradiction}`,
    refused('an existing store', missing),
    refused('an event log', missing),
    'a log that is allowed: 1',
  ])
})

test('the option is a boolean', async (t) => {
  await t.throwsAsync(open(storePath(t), { allowNetworkFileSystem: 'yes' as never }), { code: 'ERR_INVALID_ARGUMENT' })
})
