// Lays out every source anew: Rust by rustfmt, TypeScript and JavaScript by oxfmt, as `rustfmt.toml` and `.oxfmtrc.json` say.
import { run, tool } from './command.ts'
import { Refusal } from './refusal.ts'
import { needToolchain } from './toolchain.ts'

if (process.argv.length > 2) throw new Refusal('all files are laid out; nothing can be named')
await needToolchain()
const formatted = [await run('cargo', ['fmt', '--all'], 'show'), await run(process.execPath, [tool('oxfmt', 'oxfmt')], 'show')]
process.exitCode = Math.max(...formatted.map(({ exitCode }) => exitCode))
