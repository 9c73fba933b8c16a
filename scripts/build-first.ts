// The build as a step of other commands: what does not build is their failure.
import { run } from './command.ts'
import { fails, type Outcome, passes, step } from './outcome.ts'

const COMMAND = ['scripts/run.mjs', 'build', '--profile', 'fast'] as const

/** Builds the package with the profile `fast`; a build is no test and counts only when it fails. */
export function build(): Promise<Outcome> {
  const again = `node ${COMMAND.join(' ')}`
  return step('building the package', again, async () => {
    const { exitCode } = await run(process.execPath, COMMAND, 'show')
    return exitCode === 0 ? passes(0) : fails('the package does not build', again)
  })
}
