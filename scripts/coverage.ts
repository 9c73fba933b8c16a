// Runs the package's tests and tells which lines of the TypeScript sources they reach. Arguments go to ava.
import { run, tool } from './command.ts'

process.exitCode = (await run(process.execPath, [tool('c8', 'c8'), process.execPath, tool('ava', 'ava'), ...process.argv.slice(2)], 'show')).exitCode
