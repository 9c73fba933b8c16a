// Runs one of the scripts beside it on every supported Node: `node scripts/run.mjs build --profile fast` runs `build.ts`, `--help` prints how that begins.
// `--about TEXT` behind the name is for the reader of `npm run` alone. What a user can mend ends in one line. This file and `requirements.mjs` are
// JavaScript that any Node reads, so that one that is too old gets there.
import { existsSync, readFileSync } from 'node:fs'
import { commandsIn, headerOf, missingFor } from './requirements.mjs'

const root = new URL('../', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))
const commands = commandsIn(manifest.scripts)
const [name, ...rest] = process.argv.slice(2)
const args = rest[0] === '--about' ? rest.slice(2) : rest
const missing = missingFor(process.versions.node, manifest.engines.node, existsSync(new URL('node_modules/typescript', root)))

if (name === undefined || name === '--help' || name === '-h') console.log(list())
else if (!commands.has(name)) end(`there is no script \`${name}\`\n\n${list()}`)
else if (args.includes('--help') || args.includes('-h')) console.log(headerOf(readFileSync(new URL(`${name}.ts`, import.meta.url), 'utf8')))
else if (missing !== undefined) end(missing)
else await start()

async function start() {
  process.argv.splice(2, process.argv.length, ...args)
  try {
    await import('./typescript/register.mjs')
    await import(`./${name}.ts`)
  } catch (error) {
    if (!(error instanceof Error) || (error.name !== 'Refusal' && !String(error.code).startsWith('ERR_PARSE_ARGS'))) throw error
    end(error.message)
  }
}

function list() {
  const width = Math.max(...[...commands.keys()].map((command) => command.length))
  return `npm run SCRIPT [-- ARGUMENTS]; \`npm run SCRIPT -- --help\` tells more\n\n${[...commands].map(([command, about]) => `  ${command.padEnd(width)}  ${about}`).join('\n')}`
}

function end(why) {
  console.error(`${name}: ${why}`)
  process.exitCode = 1
}
