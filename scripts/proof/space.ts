// A copy of the checkout in a folder whose path has a space and a letter beyond ASCII: the README's commands have to work there as anywhere. What cargo has
// compiled is shared, and so is the native binding: neither has to do with where they lie.
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { root, run } from '../command.ts'
import { fails, type Outcome, passes, sum } from '../outcome.ts'

const NAME = 'sp äce'
const LEFT_OUT = new Set(['.git', '.tmp', 'coverage', 'dist', 'node_modules', 'target'])
const COMMANDS = [
  ['ci', '--prefer-offline'],
  ['run', 'demo', '--', '--rows', '60000'],
  ['test', '--', '__test__/tidy.spec.ts', '__test__/lifecycle/process.spec.ts', '__test__/lock-manager/workers.spec.ts', '__test__/documentation/code-blocks.spec.ts'],
  ['run', 'lint', '--', 'rustfmt', 'oxlint', 'types', 'knip', 'publint', 'platforms'],
] as const

export async function inFolderWithSpace(): Promise<Outcome> {
  const work = mkdtempSync(join(tmpdir(), 'ledgerstone-proof-'))
  const copy = join(work, NAME)
  try {
    cpSync(root, copy, { recursive: true, filter: (path) => !LEFT_OUT.has(basename(path)) })
    mkdirSync(join(copy, 'target'))
    copyFileSync(join(root, 'target', 'npm-build.json'), join(copy, 'target', 'npm-build.json'))
    const outcomes: Outcome[] = []
    for (const args of COMMANDS) {
      const { exitCode } = await run('npm', args, 'show', { cwd: copy, env: { CARGO_TARGET_DIR: join(root, 'target') } })
      outcomes.push(exitCode === 0 ? passes(1) : fails(`npm ${args.join(' ')} in a folder named ${NAME}`, 'npm run proof -- space'))
      if (exitCode !== 0) break
    }
    if (!readdirSync(copy).includes('dist')) outcomes.push(fails('nothing was built there', 'npm run proof -- space'))
    return sum(outcomes)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}
