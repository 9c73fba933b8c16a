// The errors of a package that is not whole. `ERR_NATIVE_MISSING` used to say "no native binary for this platform" in all cases: now each way in which there is
// no native code has a reason, the system's words and a remedy. Each scene is a copy of the package.
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { runChild, type ChildOptions } from '../support/child.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const VERSION = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version
const BINARY = readdirSync(root).find((name) => name.endsWith('.node')) ?? ''

interface Told {
  readonly code: string
  readonly name: string
  readonly message: string
  readonly retryable: boolean
  readonly fields: Record<string, unknown>
  readonly cause: boolean
}

async function openIn(t: ExecutionContext, prepare: (folder: string) => void, options: ChildOptions = {}): Promise<Told> {
  const folder = temporaryFolder(t)
  for (const file of ['dist', 'package.json']) cpSync(join(root, file), join(folder, file), { recursive: true })
  prepare(folder)
  const ended = await runChild(new URL('load.ts', import.meta.url), { ...options, args: [join(folder, 'dist', 'index.js'), join(folder, 'store')] })
  t.is(ended.code, 0, ended.stderr)
  return JSON.parse(ended.reports[0] ?? '{}') as Told
}

function isMissing(t: ExecutionContext, told: Told, reason: string, ...words: readonly RegExp[]): void {
  t.deepEqual([told.code, told.name, told.retryable], ['ERR_NATIVE_MISSING', 'LedgerstoneError', false])
  t.deepEqual([told.fields['reason'], told.fields['platform'], told.fields['arch']], [reason, process.platform, process.arch])
  for (const word of words) t.regex(told.message, word)
}

test('not installed: names platform, arch, libc, the package that was looked for, and the remedy', async (t) => {
  const told = await openIn(t, () => {})
  isMissing(t, told, 'not-installed', /^no native binary was found: reason=not-installed platform=\w+ arch=\w+/, /tried=ledgerstone-[\w-]+; reinstall/)
  t.deepEqual(told.fields['packages'], [BINARY.replace('.', '-').replace(/\.node$/, '')])
})

test('there, but no library: the system says why', async (t) => {
  const told = await openIn(t, (folder) => writeFileSync(join(folder, BINARY), 'not a library'))
  isMissing(
    t,
    told,
    'not-loadable',
    /^the native binary cannot be loaded/,
    /said=".*(file too short|invalid ELF|not a mach-o|not a valid Win32)/i,
    /reinstall the package/,
  )
  t.true(told.cause)
})

test('the libc is too old for it', async (t) => {
  if (process.platform !== 'linux' || !BINARY.includes('-gnu')) {
    t.pass('glibc has versions of symbols, others do not')
    return
  }
  const told = await openIn(t, (folder) => {
    const bytes = readFileSync(join(root, BINARY))
    const at = bytes.indexOf('GLIBC_2.')
    bytes.write('9', at + 'GLIBC_'.length, 'latin1')
    writeFileSync(join(folder, BINARY), bytes)
  })
  isMissing(t, told, 'libc-too-old', /version `GLIBC_9\.[\d.]+' not found/, /newer system/)
})

test('add-ons are forbidden', async (t) => {
  const told = await openIn(t, (folder) => cpSync(join(root, BINARY), join(folder, BINARY)), { nodeArgs: ['--no-addons'] })
  isMissing(t, told, 'forbidden', /--allow-addons/)
})

// With the permission model add-ons have to be allowed for themselves. Whether it is what forbade is Node's word, so it is asked in the process itself.
test('add-ons are forbidden by the permission model', async (t) => {
  const flag = ['--permission', '--experimental-permission'].find((name) => process.allowedNodeEnvironmentFlags.has(name))
  if (flag === undefined) {
    t.log(`SKIPPED: Node ${process.version} has no permission model`)
    t.pass()
    return
  }
  const nodeArgs = [flag, '--allow-fs-read=*', '--allow-fs-write=*', '--allow-worker']
  const whole = (folder: string): void => cpSync(join(root, BINARY), join(folder, BINARY))
  const told = await openIn(t, whole, { nodeArgs })
  isMissing(t, told, 'forbidden', /^the native binary cannot be loaded/, /--allow-addons/)
  t.true(told.cause)
  t.deepEqual(await openIn(t, whole, { nodeArgs: [...nodeArgs, '--allow-addons'] }), {}, 'and allowed, the store opens')
})

test('bundled: nothing around it is this package', async (t) => {
  const told = await openIn(t, (folder) => writeFileSync(join(folder, 'package.json'), '{"name":"an-application","type":"module"}'))
  isMissing(t, told, 'bundled', /mark `ledgerstone` as external/)
})

// Bug: in a bundle of webpack no remedy helped. Mechanism: it puts `undefined` in place of a call of what is imported as `createRequire`, and the file's URL on the
// machine that built the bundle in place of `import.meta.url`. Fix: `createRequire` is called through its module, and the URL is asked last.
test('bundled as webpack does it, with the binary beside', async (t) => {
  const told = await openIn(t, (folder) => {
    const rewrite = (name: string, from: RegExp, to: string): void => {
      const file = join(folder, 'dist', 'native', name)
      writeFileSync(file, readFileSync(file, 'utf8').replaceAll(from, to))
    }
    rewrite('native-file.js', /(?<!\.)\bcreateRequire\(/g, '(() => undefined)(')
    rewrite('location.js', /import\.meta\.url/g, "'file:///where/it/was/built/location.js'")
    writeFileSync(join(folder, 'package.json'), '{"name":"an-application","type":"module"}')
    cpSync(join(root, BINARY), join(folder, BINARY))
  })
  t.deepEqual(told, {}, 'nothing is reported: the store opened')
})

test('the file that the environment names is the only one', async (t) => {
  const there = (folder: string): void => cpSync(join(root, BINARY), join(folder, BINARY))
  const told = await openIn(t, there, { env: { NAPI_RS_NATIVE_LIBRARY_PATH: '/nowhere/at-all.node' } })
  isMissing(t, told, 'not-loadable', /\/nowhere\/at-all\.node/)
})

test('ERR_VERSION_MISMATCH has both versions', async (t) => {
  const told = await openIn(t, (folder) => {
    cpSync(join(root, BINARY), join(folder, BINARY))
    writeFileSync(join(folder, 'dist', 'internal', 'version.js'), "export const VERSION = '99.0.0'\n")
  })
  t.deepEqual([told.code, told.name, told.retryable], ['ERR_VERSION_MISMATCH', 'LedgerstoneError', false])
  t.deepEqual(told.fields, { expected: '99.0.0', actual: VERSION })
  t.true(told.message.includes(`expected=99.0.0 actual=${VERSION}`))
})
