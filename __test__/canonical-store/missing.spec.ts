// No binary for this platform: the package still loads, and opening a store tells what was looked for and what to do.
import { cpSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { runChild } from '../support/child.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

test('a missing binary is ERR_NATIVE_MISSING with platform, tried packages and remedy', async (t) => {
  const folder = temporaryFolder(t)
  for (const part of ['src', 'index.js', 'package.json']) cpSync(join(root, part), join(folder, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir') // what compiles the sources
  const { stdout, stderr } = await runChild(new URL('missing.ts', import.meta.url), { args: [join(folder, 'src', 'index.ts'), join(folder, 'store')] })
  t.not(stdout, '', stderr)
  const told = JSON.parse(stdout) as { code: string; message: string; packages: string[]; reason: string }
  t.is(told.code, 'ERR_NATIVE_MISSING', stderr)
  t.true(told.message.includes(`platform=${process.platform} arch=${process.arch}`))
  t.true(told.packages.every((name) => name.startsWith(`ledgerstone-${process.platform}-${process.arch}`) && told.message.includes(name)))
  t.regex(told.message, /reinstall with optional dependencies/)
  t.is(told.reason, 'not-installed')
})
