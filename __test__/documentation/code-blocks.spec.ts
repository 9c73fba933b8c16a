// What the README shows must compile under the strict settings and run: each TypeScript block is a program of its own.
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { TYPESCRIPT } from '../support/typescript.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)

const documents = ['README.md', ...(existsSync(join(root, 'docs')) ? readdirSync(join(root, 'docs')).map((name) => `docs/${name}`) : [])]
const blocks = documents
  .filter((name) => name.endsWith('.md'))
  .flatMap((name) => [...readFileSync(join(root, name), 'utf8').matchAll(/^```ts\n(.*?)^```/gms)].map(([, code], i) => ({ name, i, code: code ?? '' })))

test('the README shows code', (t) => {
  t.true(blocks.some(({ name }) => name === 'README.md'))
})

for (const { name, i, code } of blocks) {
  test.serial(`${name}: code block ${i + 1} compiles and runs`, async (t) => {
    // Inside the repository, so that the package finds itself by its name.
    mkdirSync(join(root, '.tmp'), { recursive: true })
    const folder = mkdtempSync(join(root, '.tmp', 'code-block-'))
    t.teardown(() => rmSync(folder, { recursive: true, force: true }))
    writeFileSync(join(folder, 'block.ts'), code)
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ extends: '../../tsconfig.json', include: ['block.ts'] }))
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
    const compiled = await run(process.execPath, [tsc, '-p', folder], { cwd: root }).then(() => '', (error: { stdout: string }) => error.stdout)
    t.is(compiled, '')
    await t.notThrowsAsync(run(process.execPath, [...TYPESCRIPT, join(folder, 'block.ts')], { cwd: folder, timeout: 600_000 }))
  })
}
