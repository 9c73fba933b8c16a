// docs/GLOSSARY.md has each word once, in order, with one sentence, and no word that nobody uses.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const root = fileURLToPath(new URL('../..', import.meta.url))
const rows = [...readFileSync(join(root, 'docs', 'GLOSSARY.md'), 'utf8').matchAll(/^\| (?!word \||---)(.+) \| (.+) \|$/gm)].map(([, word, meaning]) => ({
  word: word as string,
  meaning: meaning as string,
}))

test('words are in order, and each comes once', (t) => {
  t.true(rows.length > 50)
  const words = rows.map(({ word }) => word)
  t.deepEqual(
    words,
    [...new Set(words)].toSorted((a, b) => a.toLowerCase().localeCompare(b.toLowerCase(), 'en')),
  )
})

test('each meaning is one sentence, or one for each place where the word has another', (t) => {
  const wrong = rows.filter(({ meaning }) => !/^[A-Z`].*\.$/.test(meaning) || (/\. [A-Z]/.test(meaning) && !meaning.startsWith('Of ')))
  t.deepEqual(wrong, [])
})

test('each word is used, in another document or in the sources', (t) => {
  const below = (folder: string): string[] =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .map((name) => join(folder, name))
      .filter((name) => /\.(md|ts|rs)$/.test(name))
  const files = [...below('docs'), ...below('src'), ...below('crates'), 'README.md'].filter((file) => !file.endsWith('GLOSSARY.md') && existsSync(join(root, file)))
  const text = files
    .map((file) => readFileSync(join(root, file), 'utf8'))
    .join('\n')
    .toLowerCase()
  t.deepEqual(
    rows.filter(({ word }) => !new RegExp(`\\b${word.toLowerCase().replaceAll(/[ -]/g, '[ _-]')}`).test(text)),
    [],
  )
})
