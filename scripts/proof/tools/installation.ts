// The tools that users build and test with. Each is installed from the npm registry into a separate folder in target/tools, and stays there; they are no
// development dependencies. The folder has an application, too, in which this package is installed as npm does it: its files, and the package for this platform.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, run } from '../../command.ts'

/** Exact versions, all of which run on the oldest Node that is supported; the first package is the tool, the others are what it needs here. */
const PACKAGES = {
  esbuild: ['esbuild@0.28.2'],
  rollup: ['rollup@4.68.8', '@rollup/plugin-node-resolve@16.0.3'],
  vite: ['vite@8.4.0'],
  webpack: ['webpack@5.113.0'],
  next: ['next@16.4.6', 'react@19.3.1', 'react-dom@19.3.1'],
  jest: ['jest@30.5.2'],
  vitest: ['vitest@4.1.12'],
  ava: ['ava@7.0.0'],
  'node:test': [],
} as const
export type ToolName = keyof typeof PACKAGES

export interface Tool {
  /** As `esbuild@0.28.2`. */
  readonly title: string
  /** A file of the tool, by its path in node_modules. */
  readonly file: (path: string) => string
  readonly application: Application
}

export interface Application {
  readonly folder: string
  /** Its node_modules: this package, and nothing else. */
  readonly modules: string
  /** The file with the native code, in the package for this platform. */
  readonly binary: string
}

/** @returns the tool with a fresh application, or what is missing */
export async function install(name: ToolName): Promise<Tool | { missing: string }> {
  const packages: readonly string[] = PACKAGES[name]
  const title = packages[0] ?? name
  const folder = join(root, 'target', 'tools', title.replace(':', '-'))
  const done = join(folder, 'installed')
  if (!existsSync(done) || readFileSync(done, 'utf8') !== packages.join('\n')) {
    mkdirSync(folder, { recursive: true })
    const args = ['install', '--no-save', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', folder, ...packages]
    const { exitCode, output } =
      packages.length === 0 ? { exitCode: 0, output: '' } : await run('npm', args, 'keep').catch((error: unknown) => ({ exitCode: 1, output: String(error) }))
    if (exitCode !== 0) return { missing: `npm cannot install ${packages.join(' ')}: ${output.trim().split('\n').at(0)}` }
    writeFileSync(done, packages.join('\n'))
  }
  const application = applicationIn(join(folder, 'application'))
  return 'missing' in application ? application : { title, file: (path) => join(folder, 'node_modules', path), application }
}

function applicationIn(folder: string): Application | { missing: string } {
  const modules = join(folder, 'node_modules')
  const binary = readdirSync(root).find((name) => /^ledgerstone\..*\.node$/.test(name))
  if (binary === undefined) return { missing: 'no native binary in the checkout' }
  const platform = binary.slice('ledgerstone.'.length, -'.node'.length)
  const native = join(modules, `ledgerstone-${platform}`)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(native, { recursive: true })
  for (const name of ['dist', 'index.js', 'package.json']) cpSync(join(root, name), join(modules, 'ledgerstone', name), { recursive: true })
  cpSync(join(root, 'npm', platform, 'package.json'), join(native, 'package.json'))
  cpSync(join(root, binary), join(native, binary))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'application', private: true, type: 'module' }))
  return { folder, modules, binary: join(native, binary) }
}
