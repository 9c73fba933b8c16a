// TypeScript to JavaScript without a look at the types. What was made of a text once is kept below target/, as the compiler takes longer to load than
// most programs to run; where it cannot be kept it is made again.
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const KEPT = fileURLToPath(new URL('../../target/typescript/', import.meta.url))
const VERSION = require('typescript/package.json').version

/** The module that the TypeScript file is. */
export function strip(path) {
  const source = readFileSync(path, 'utf8')
  const kept = join(KEPT, `${createHash('sha256').update(VERSION).update(path).update('\0').update(source).digest('hex')}.js`)
  try {
    return readFileSync(kept, 'utf8')
  } catch {
    const made = transpile(path, source)
    keep(kept, made)
    return made
  }
}

function transpile(path, source) {
  const { ModuleKind, ScriptTarget, transpileModule } = require('typescript')
  const compilerOptions = { module: ModuleKind.ESNext, target: ScriptTarget.ESNext, verbatimModuleSyntax: true, inlineSourceMap: true, inlineSources: true }
  return transpileModule(source, { fileName: path, compilerOptions }).outputText
}

/** Stores the file in one step: a reader sees all of it or nothing. */
function keep(file, text) {
  try {
    mkdirSync(KEPT, { recursive: true })
    const unfinished = `${file}.${process.pid}`
    writeFileSync(unfinished, text)
    renameSync(unfinished, file)
  } catch {
    // The next process makes it again.
  }
}
