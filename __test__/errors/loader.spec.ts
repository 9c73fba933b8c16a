// What a package says that is not whole: ERR_NATIVE_MISSING without a binary for this platform, ERR_VERSION_MISMATCH with the binary of another
// version. Each is a copy of the package of its own.
import { cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { runChild } from '../support/child.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const VERSION = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version

interface Told { readonly code: string; readonly name: string; readonly message: string; readonly retryable: boolean; readonly fields: Record<string, unknown>; readonly cause: boolean }

async function openWith(t: ExecutionContext, files: readonly string[], version: string): Promise<Told> {
  const folder = temporaryFolder(t)
  for (const file of files) cpSync(join(root, file), join(folder, file), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir') // what runs the test's own files
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as object
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...manifest, version }))
  const ended = await runChild(new URL('load.ts', import.meta.url), { args: [join(folder, 'dist', 'index.js'), join(folder, 'store')] })
  t.is(ended.code, 0, ended.stderr)
  return JSON.parse(ended.reports[0] as string) as Told
}

test('ERR_NATIVE_MISSING names platform, arch, libc, the packages that were tried, and the remedy', async (t) => {
  const told = await openWith(t, ['dist', 'index.js'], VERSION)
  t.deepEqual([told.code, told.name, told.retryable, told.cause], ['ERR_NATIVE_MISSING', 'LedgerstoneError', false, true])
  t.deepEqual([told.fields['platform'], told.fields['arch']], [process.platform, process.arch])
  t.regex(told.message, /^no native binary for this platform: platform=\w+ arch=\w+/)
  t.regex(told.message, /tried=ledgerstone-[\w,-]+; reinstall/)
})

test('ERR_VERSION_MISMATCH has both versions', async (t) => {
  const binaries = readdirSync(root).filter((name) => name.endsWith('.node'))
  const told = await openWith(t, ['dist', 'index.js', ...binaries], '99.0.0')
  t.deepEqual([told.code, told.name, told.retryable], ['ERR_VERSION_MISMATCH', 'LedgerstoneError', false])
  t.deepEqual(told.fields, { expected: '99.0.0', actual: VERSION })
  t.true(told.message.includes(`expected=99.0.0 actual=${VERSION}`))
})
