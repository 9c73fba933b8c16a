// The programs of the repository that are compiled before they run: the demo and the bench, in target/programs.
import { run } from './command.ts'

/** Whether they are built; the build has said why not. */
export async function buildPrograms(profile: 'fast' | 'release'): Promise<boolean> {
  const { exitCode } = await run(process.execPath, ['scripts/run.mjs', 'build', '--profile', profile, '--programs'], 'show')
  process.exitCode = exitCode
  return exitCode === 0
}

/** Runs one of them with this command's arguments. */
export async function runProgram(name: string): Promise<void> {
  process.exitCode = (await run(process.execPath, [`target/programs/${name}`, ...process.argv.slice(2)], 'show')).exitCode
}
