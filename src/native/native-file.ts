// Finds and loads the file with the native code, and says what really was in the way. It is looked for beside this file and in the folders above it (a
// checkout, a bundle with the binary copied beside it), then in the package for this platform, as seen from this package and from a bundle's place.
import { existsSync, readFileSync } from 'node:fs'
// Not by its name: webpack replaces calls of `createRequire` by `undefined`.
import * as modules from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { errorOf } from '../errors.ts'
import { location } from './location.ts'

/** Why there is no native code: a stable field of `ERR_NATIVE_MISSING`. */
export type MissingReason = 'not-installed' | 'not-loadable' | 'libc-too-old' | 'forbidden' | 'bundled' | 'unsupported-runtime'

const REMEDY: Record<MissingReason, string> = {
  'not-installed':
    'reinstall with optional dependencies (npm install --include=optional; a lock file or node_modules made on another platform has to be made anew), or build from source',
  'not-loadable': 'reinstall the package on this machine, or build from source',
  'libc-too-old': 'use a newer system or image, or build from source on this one',
  forbidden: 'allow native add-ons (Node: --allow-addons beside --permission, and no --no-addons; Deno: --allow-ffi)',
  bundled: 'mark `ledgerstone` as external in the bundler and deploy it in node_modules, copy the binary beside the bundle, or name it in NAPI_RS_NATIVE_LIBRARY_PATH',
  'unsupported-runtime': 'use Node.js: this runtime does not share memory with native code',
}
/** Names the file to load; then no other is tried. */
const OVERRIDE = 'NAPI_RS_NATIVE_LIBRARY_PATH'
/** How far above this file a binary may be: `dist/cjs/native` in a checkout. */
const LEVELS = 4

/** The native code's exports. @throws `ERR_NATIVE_MISSING` (`reason`) */
export function loadNative(): unknown {
  const target = targetOf()
  const require = requireFrom(location)
  const tried: string[] = []
  let failure: unknown
  for (const file of candidates(target, require)) {
    tried.push(file)
    try {
      return (require as NodeJS.Require)(file)
    } catch (error) {
      failure ??= error
    }
  }
  throw nativeMissing(failure === undefined ? missingReason() : failureReason(failure), tried, failure)
}

/** `ERR_NATIVE_MISSING`: what happened, where, what was tried, the system's words, and what to do. */
export function nativeMissing(reason: MissingReason, tried: readonly string[], cause?: unknown): Error {
  const { platform, arch } = process
  const libc = platform === 'linux' ? libcOf() : undefined
  const packages = [`ledgerstone-${targetOf()}`]
  const what = tried.length === 0 ? 'no native binary was found' : 'the native binary cannot be loaded'
  const target = `reason=${reason} platform=${platform} arch=${arch}${libc === undefined ? '' : ` libc=${libc}`}`
  const said = cause === undefined ? '' : ` said=${JSON.stringify((cause as Partial<Error>).message)}`
  const fields = { reason, platform, arch, ...(libc === undefined ? {} : { libc }), packages }
  return errorOf('ERR_NATIVE_MISSING', `${what}: ${target} tried=${[...packages, ...tried].join(',')}${said}; ${REMEDY[reason]}`, fields, cause)
}

/** Files that exist, in the order in which they are tried. */
function* candidates(target: string, require: NodeJS.Require | undefined): Generator<string, undefined> {
  const override = process.env[OVERRIDE]
  if (override !== undefined && override !== '') {
    yield override
    return undefined
  }
  if (location === undefined || require === undefined) return undefined
  let folder = dirname(fileURLToPath(location))
  for (let level = 0; level < LEVELS; level++, folder = dirname(folder)) {
    const file = join(folder, `ledgerstone.${target}.node`)
    if (exists(file)) yield file
  }
  const inside = resolved(require, 'ledgerstone/package.json')
  for (const from of [require, inside === undefined ? undefined : requireFrom(inside)]) {
    const file = from === undefined ? undefined : resolved(from, `ledgerstone-${target}`)
    if (file !== undefined) yield file
  }
  const beside = inside === undefined ? undefined : join(dirname(inside), `ledgerstone.${target}.node`)
  if (beside !== undefined && exists(beside)) yield beside
  return undefined
}

function missingReason(): MissingReason {
  if (location === undefined) return 'bundled'
  let folder = dirname(fileURLToPath(location))
  for (let level = 0; level < LEVELS; level++, folder = dirname(folder)) if (nameIn(folder) === 'ledgerstone') return 'not-installed'
  return 'bundled'
}

function failureReason(failure: unknown): MissingReason {
  const { code, name, message } = failure as Partial<NodeJS.ErrnoException>
  if (code === 'ERR_DLOPEN_DISABLED' || code === 'ERR_ACCESS_DENIED' || name === 'NotCapable' || name === 'PermissionDenied') return 'forbidden'
  if (/version .GLIBC[\w.]*. not found/.test(String(message))) return 'libc-too-old'
  return 'not-loadable'
}

function nameIn(folder: string): unknown {
  try {
    return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: unknown }).name
  } catch {
    return undefined
  }
}

function requireFrom(place: string | undefined): NodeJS.Require | undefined {
  return modules.createRequire(place ?? join(process.cwd(), 'index.js'))
}

/** The path of a package's file, as seen from `from`. */
function resolved(from: NodeJS.Require, name: string): string | undefined {
  try {
    return from.resolve(name)
  } catch {
    return undefined
  }
}

/** A file that may not be looked at is tried all the same, so that the refusal is reported. */
function exists(file: string): boolean {
  try {
    return existsSync(file)
  } catch {
    return true
  }
}

/** The target in the names of the platform packages and of the binaries. */
function targetOf(): string {
  const { platform, arch } = process
  const abi = platform === 'win32' ? '-msvc' : platform === 'linux' ? (libcOf() === 'musl' ? '-musl' : '-gnu') : ''
  return `${platform}-${arch}${abi}`
}

let libc: 'glibc' | 'musl' | undefined

function libcOf(): 'glibc' | 'musl' {
  return (libc ??= readLibc())
}

function readLibc(): 'glibc' | 'musl' {
  const { report } = process
  if (report === undefined) return 'glibc'
  // Looking up the names of all open sockets would take as long as the network takes.
  const { excludeNetwork } = report as { excludeNetwork?: boolean }
  Object.assign(report, { excludeNetwork: true })
  try {
    return (report.getReport() as { header?: { glibcVersionRuntime?: string } }).header?.glibcVersionRuntime === undefined ? 'musl' : 'glibc'
  } finally {
    Object.assign(report, { excludeNetwork })
  }
}
