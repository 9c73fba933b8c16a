// The programs in the documents compile under the strict settings, run, and run again in the same folder with the same output. Where a document shows what
// a program prints, it prints that.
// Bug: "Following events" of the README ended with code 13 the second time and trimmed nothing. Mechanism: it waited for event 2, which its cursor had
// passed, and every block was run once only, in an empty folder. Fix: the example follows what it has appended, and each block runs twice.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { TYPESCRIPT } from '../support/typescript.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)
/** A TypeScript block, and the `text` block behind "It prints:". */
const BLOCK = /^```ts\n(.*?)^```\n(?:\nIt prints:\n\n```text\n(.*?)^```$)?/gms

interface Block {
  readonly document: string
  readonly title: string
  readonly code: string
  readonly prints: string | undefined
  readonly folder: string
}

const documents = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name.split(sep).join('/')}`),
]
mkdirSync(join(root, '.tmp'), { recursive: true })
// Inside the repository, so that the package finds itself by its name.
const work = mkdtempSync(join(root, '.tmp', 'code-blocks-'))
const blocks: Block[] = documents.flatMap((document) =>
  [...readFileSync(join(root, document), 'utf8').matchAll(BLOCK)].map(([, code = '', prints], n) => {
    return { document, title: `${document}: code block ${n + 1}`, code, prints, folder: join(work, `${document.replaceAll('/', '-')}-${n + 1}`) }
  }),
)

test.before(() => {
  for (const { folder, code } of blocks) {
    mkdirSync(folder)
    writeFileSync(join(folder, 'block.ts'), code)
  }
  writeFileSync(join(work, 'tsconfig.json'), JSON.stringify({ extends: '../../tsconfig.json', include: ['*/block.ts'] }))
})
test.after.always(() => rmSync(work, { recursive: true, force: true }))

test('the README shows code, and so does every page of the guide', (t) => {
  const pages = documents.filter((document) => document === 'README.md' || /^docs\/guide\/(?!README)/.test(document))
  t.true(pages.length > 10)
  t.deepEqual(
    pages.filter((page) => !blocks.some(({ document }) => document === page)),
    [],
  )
})

test.serial('all code blocks compile', async (t) => {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  t.is(
    await run(process.execPath, [tsc, '-p', work], { cwd: root }).then(
      () => '',
      (error: { stdout: string }) => error.stdout,
    ),
    '',
  )
})

for (const { title, folder, prints } of blocks) {
  test.serial(`${title} runs twice with the same result`, async (t) => {
    const once = async (): Promise<string> =>
      (await run(process.execPath, [...TYPESCRIPT, 'block.ts'], { cwd: folder, timeout: 600_000 })).stdout.replaceAll(/(duration_ms:? |\()\d[\d.]*(ms)?/g, '$1…')
    const first = await once()
    t.not(first, '', 'a program in a document shows something')
    t.is(await once(), first)
    if (prints !== undefined) t.is(first, prints)
  })
}
