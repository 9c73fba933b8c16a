// docs/ERRORS.md and src/errors.ts say the same: codes, classes, what is retryable and the fields, in both directions.
import { readFileSync, readdirSync } from 'node:fs'
import test from 'ava'

const text = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const source = text('src/errors.ts')
const PLAIN = 'LedgerstoneError'

interface Entry {
  readonly class: string
  readonly retryable: boolean
  readonly fields: readonly string[]
}

/** What the document says of each code. A field that may be absent ends with a question mark. */
const documented = new Map(
  [
    ...text('docs/ERRORS.md').matchAll(
      /^### `(ERR_\w+)`\n\n- \*\*Class\*\*: `(\w+)`(, retryable)?.*\n- \*\*Fields\*\*: (.+)\n- \*\*Cause\*\*: .+\n- \*\*What to do\*\*: .+\n/gm,
    ),
  ].map(([, code, name, retryable, fields]) => {
    const names = (fields ?? '').replaceAll(/\([^)]*\)/g, '').match(/(?<=`)\w+\??(?=`)/g) ?? []
    return [code as string, { class: name as string, retryable: retryable !== undefined, fields: names.toSorted() }]
  }),
)

const codes = [...(/export type ErrorCode =\n((?: {2}\|.*\n)+)/.exec(source)?.[1]?.matchAll(/ERR_\w+/g) ?? [])].map(([code]) => code)
const retryable = new Set(/RETRYABLE[^]*?\[([^\]]+)\]/.exec(source)?.[1]?.match(/ERR_\w+/g))
const classes = new Map([...(/const CLASSES[^]*?\n\}/.exec(source)?.[0].matchAll(/(ERR_\w+): (\w+)/g) ?? [])].map(([, code, name]) => [code as string, name as string]))

function fieldsOf(name: string): string[] {
  const body = new RegExp(`export class ${name} extends LedgerstoneError \\{\\n([^]*?)\\n\\}`).exec(source)?.[1] ?? ''
  return [...body.matchAll(/declare readonly (\w+\??):/g)].map(([, field]) => field as string).filter((field) => field !== 'code')
}

/** The fields of codes without a class, as the comment of `LedgerstoneError` has them. */
function plainFieldsOf(code: string): string[] {
  const comment = (/\/\*\*\n((?: \*.*\n)+) \*\/\nexport class LedgerstoneError /.exec(source)?.[1] ?? '').replaceAll(/\n \* /g, ' ').split('plain properties:')[1] ?? ''
  const list = [...comment.matchAll(/([^()]*) \(([^()]*)\)/g)].find(([, , of]) => of?.includes(`\`${code}\``))?.[1] ?? ''
  return list.match(/(?<=`)\w+(?=`)/g)?.filter((word) => !word.startsWith('ERR_')) ?? []
}

test('every code has an entry, and every entry is a code', (t) => {
  t.true(codes.length > 30)
  t.deepEqual([...documented.keys()].toSorted(), codes.toSorted())
})

test('classes and what is retryable agree', (t) => {
  t.true(classes.size > 20 && retryable.size > 5)
  const expected = codes.map((code) => [code, classes.get(code) ?? PLAIN, retryable.has(code)])
  t.deepEqual(
    codes.map((code) => [code, documented.get(code)?.class, documented.get(code)?.retryable]),
    expected,
  )
})

test('the fields of a class are those that it declares', (t) => {
  for (const [code, name] of classes) t.deepEqual(documented.get(code)?.fields, fieldsOf(name).toSorted(), code)
})

test('the fields of codes without a class are those that are promised and tested', (t) => {
  const tests = readdirSync(new URL('../errors', import.meta.url))
    .concat('../event-log/log.spec.ts', '../snapshot-set/set.spec.ts')
    .filter((name) => name.endsWith('.spec.ts'))
    .map((name) => text(`__test__/errors/${name}`))
    .join('\n')
  const plain = [...documented].filter(([, entry]: readonly [string, Entry]) => entry.class === PLAIN)
  t.true(plain.length >= 9)
  for (const [code, { fields }] of plain) {
    const names = fields.map((field) => field.replace('?', ''))
    for (const promised of plainFieldsOf(code)) t.true(names.includes(promised), `${code}: ${promised}`)
    for (const field of names) t.regex(tests, new RegExp(`\\b${field}\\b`), `${code}: ${field} is in no test of errors`)
  }
  t.deepEqual(plainFieldsOf('ERR_EVENT_ID_GAP'), ['expected', 'actual'])
})
