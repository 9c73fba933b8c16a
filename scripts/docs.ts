// Makes the API reference from the sources' comments; typedoc.json says where to. Arguments go to typedoc.
import { run, tool } from './command.ts'

process.exitCode = (await run(process.execPath, [tool('typedoc', 'typedoc'), ...process.argv.slice(2)], 'show')).exitCode
