// All tests: the package is built when it is out of date, then the crates' tests and those of the package run, each long one as a short sample:
// `npm run proof` has the whole. Ends with what failed and how to run it again. Arguments go to ava: `npm test -- __test__/tidy.spec.ts` runs that
// one and no Rust.
import { avaTests } from './ava-tests.ts'
import { build } from './build-first.ts'
import { cargoTests } from './cargo-tests.ts'
import { close, step, sum } from './outcome.ts'
import { setSeedBase } from './seed-base.ts'

const select = process.argv.slice(2)

await setSeedBase()
const built = await build()
const rust = select.length > 0 ? [] : [await step("the crates' tests: compiled, then run", 'npm test', () => cargoTests({ select: ['--workspace'] }))]
const node = built.failures.length > 0 ? [] : [await step(`the package's tests, on Node ${process.versions.node}`, 'npm test', () => avaTests({ select }))]
close('test', sum([built, ...rust, ...node]))
