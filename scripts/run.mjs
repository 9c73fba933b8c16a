// Runs one of the scripts beside it on every supported Node: `node scripts/run.mjs build --profile fast` runs `build.ts`.
import './typescript/register.mjs'

const [name] = process.argv.splice(2, 1)
await import(`./${name}.ts`)
