// The examples in the comments of the public sources compile under the strict settings and run: each as the body of a function that has a store, a log and
// more at hand (`scene.ts`). Every method has one, and every option tells its default.
import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { type Example, namesOf, readComments, root } from './comments.ts'

const run = promisify(execFile)
const { examples, unshown, withoutDefault } = readComments()
const ENTRIES: readonly (readonly [name: string, source: string])[] = [
  ['ledgerstone', 'src/index.ts'],
  ['ledgerstone/coordinator', 'src/write-coordinator/index.ts'],
  ['ledgerstone/event-log', 'src/event-log/index.ts'],
  ['ledgerstone/locks', 'src/lock-manager/index.ts'],
  ['ledgerstone/snapshots', 'src/snapshot-set/index.ts'],
]
const IMPORTS = ENTRIES.map(([name, source]) => {
  const { values, types } = namesOf(source)
  return `import { ${[...values, ...types.map((type) => `type ${type}`)].join(', ')} } from '${name}'`
})

test('every public function and method has an example', (t) => {
  t.true(examples.length > 110)
  t.deepEqual(unshown, [])
})

test('every option tells its default', (t) => {
  t.deepEqual(withoutDefault, [])
})

test('the examples compile and run', async (t) => {
  // Inside the repository, so that the package finds itself by its name.
  mkdirSync(join(root, '.tmp'), { recursive: true })
  const folder = mkdtempSync(join(root, '.tmp', 'examples-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  copyFileSync(new URL('scene.ts', import.meta.url), join(folder, 'scene.ts'))
  for (const [place, example] of examples.entries()) writeFileSync(join(folder, `example-${place}.ts`), moduleOf(example))
  writeFileSync(join(folder, 'play.ts'), PLAY)
  // What an example shows and does not use is no mistake.
  const compilerOptions = { noEmit: false, rootDir: '.', outDir: 'out', allowImportingTsExtensions: false, noUnusedLocals: false, noUnusedParameters: false }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ extends: '../../tsconfig.json', compilerOptions, include: ['*.ts'] }))
  const compiled = await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], { cwd: root }).then(
    () => '',
    (error: { stdout: string }) => error.stdout,
  )
  t.is(
    compiled.replace(/example-(\d+)\.ts/g, (_, place: string) => `the example of ${examples[Number(place)]?.of}`),
    '',
  )
  const { stdout } = await run(process.execPath, ['out/play.js', String(examples.length)], { cwd: folder, timeout: 600_000 })
  const failed = JSON.parse(stdout) as [place: number, error: string][]
  t.deepEqual(
    failed.map(([place, error]) => `${examples[place]?.of}: ${error}`),
    [],
  )
})

/** The example as a module, with the imports that it shows for itself above it. */
function moduleOf({ code }: Example): string {
  const lines = code.split('\n')
  const imported = lines.filter((line) => line.startsWith('import ') && !line.includes("'ledgerstone"))
  const body = lines.filter((line) => !line.startsWith('import '))
  return [
    ...IMPORTS,
    ...imported,
    "import type { Account, Booking, Sales, Scene } from './scene.ts'",
    'export default async function ({ store, accounts, snapshot, log, locks, set, coordinator, table }: Scene): Promise<void> {',
    '{',
    ...body,
    '}',
    '}',
    '',
  ].join('\n')
}

const PLAY = `
import { play, type Scene } from './scene.ts'
console.log = () => {}
const failed: [number, string][] = []
for (let place = 0; place < Number(process.argv[2]); place++) {
  const { default: example } = (await import(\`./example-\${place}.js\`)) as { default: (scene: Scene) => Promise<void> }
  await play(example).catch((error: unknown) => failed.push([place, String((error as Error).stack)]))
}
process.stdout.write(JSON.stringify(failed))
`
