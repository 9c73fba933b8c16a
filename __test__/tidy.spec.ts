// The repository's rules, held by a test: which room may know which, how long a file may grow, what may not stand in the tree.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join, posix, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { commentsOf } from './support/comments.ts'
import { circleIn, type Import, importsOf, isInterfaceFile, loadedWith } from './support/imports.ts'
import { usesOf } from './support/rust-uses.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const GENERATED = ['native.d.ts', 'npm/**', 'package-lock.json', 'Cargo.lock', 'fuzz/Cargo.lock', 'bench/results/**']
const MAX_LINES = 400
// In pieces, so that this file passes its own check.
const BANNED = ['TO|DO', 'FIX|ME', 'to|do!', 'unim|plemented!', 'for |now', 'X|XX'].map((word) => word.replace('|', ''))

/** Which crate may depend on which, of ours; `format` is a leaf that every crate may use. */
const ARROWS: Record<string, readonly string[]> = {
  format: [],
  vfs: [],
  journal: ['vfs'],
  'event-log': ['vfs'],
  'write-coordinator': ['vfs'],
  'lock-manager': ['vfs'],
  'snapshot-set': ['vfs'],
  'block-store': ['vfs'],
  'canonical-store': ['write-coordinator', 'journal', 'event-log', 'lock-manager', 'snapshot-set', 'vfs'],
  'fuzz-targets': ['canonical-store', 'journal', 'event-log', 'snapshot-set', 'vfs'],
  binding: ['canonical-store', 'event-log', 'lock-manager', 'snapshot-set', 'block-store'],
}

/** The floors of `src`, the lowest first: a file imports what stands below its room, or in its room. Interface files may be imported from anywhere, as types. */
const FLOORS: readonly Floor[] = [
  [['errors.ts', 'durability.ts', 'compare-durability.ts', 'retry.ts', 'verify-report.ts', 'internal/']],
  [['codecs/']],
  [['native/']],
  [['event-log/'], ['lock-manager/'], ['snapshot-set/'], ['write-coordinator/']],
  [['canonical-store/']],
  [['index.ts']],
]

/** Those of the store. */
const STORE_FLOORS: readonly Floor[] = [
  [['api/']],
  [['key-space.ts', 'key-size.ts', 'key-bounds.ts', 'key-ref.ts']],
  [['reading/'], ['watching/']],
  [['running-transaction.ts', 'shared-store.ts']],
  [['store-handle.ts', 'held-lease.ts']],
  [['events/']],
  [['collection.ts', 'snapshot.ts']],
  [['preflight/']],
  [['writing/']],
  [['backup-task.ts', 'backup.ts', 'restore.ts', 'verification.ts', 'embedded-store.ts']],
  [['open.ts']],
]

/** Those of the binding: hot calls and cold ones know an environment, and nothing of each other. */
const BINDING_FLOORS: readonly Floor[] = [[['number.rs', 'error.rs', 'contain.rs']], [['environment/']], [['hot/'], ['cold/']], [['lib.rs']]]

/** The rooms of one floor, each by what it consists of. */
type Floor = readonly (readonly string[])[]

/** What users see, beside `canonical-store/api/`: nothing in it is left when the program runs. */
const INTERFACES = new Set([
  'durability.ts',
  'verify-report.ts',
  'codecs/codec.ts',
  'codecs/envelope-types.ts',
  'codecs/standard-schema.ts',
  'event-log/log-types.ts',
  'lock-manager/locks.ts',
  'snapshot-set/snapshot-types.ts',
])

/** Classes that are the types of public interfaces: interface files may name them. */
const PUBLIC_CLASSES = new Set(['src/errors.ts', 'src/lock-manager/lock-manager.ts'])

/**
 * Habits of speech that make a text hard to read, with what to write instead. Documents are checked for them, and all comments of sources. `docs/STATUS.md` is
 * a notebook.
 */
const HABITS: Readonly<Record<string, RegExp>> = {
  'name the subject: "a writer that", "a caller that"':
    /\bwhoever\b|(?:^|[.:;!|*(>]) *who [a-z]+ (?!.*\?)|\b(?:by|and|but|when|until|before|that|what|for|so) who [a-z]|[;,] who (?:flushes|waits|writes|scans|asks|holds|comes|reads|begins)\b/i,
  'say who says it, or "acknowledged"': /\b(?:is|are|was|were|be|been|being) told\b(?! apart)/i,
  'say who gets it: "is granted", "is free"': /\b(?:is|are|was|were|be|been) had\b/i,
  'give the number or leave it out': /\bso much\b/i,
  'say in which time': /\bmeanwhile *[.;:,)|]/i,
  'say "its own", "separate", or nothing': /\bof (?:its|their|one's) own\b/i,
  'say "bypasses", "around"': /\bround (?:the|it|both)\b/i,
  'say "exists", "the bytes are"': /\bwhat(?:ever)? (?:stands|is) there\b|\bstands? there\b/i,
}
const PLAIN_COMMENTS = /^crates\/.*\.rs$|^(src|scripts|bench|examples|__test__)\/.*\.(ts|mjs)$/

const tracked = filesOfTheTree()
const sources = tracked.filter((file) => /\.(rs|ts|js|mjs|json|toml|md|sh|yml)$/.test(file) && !isGenerated(file))
const documents = sources.filter((file) => file.endsWith('.md') && !file.startsWith('npm/'))
const crates = readdirSync(join(root, 'crates')).filter((name) => existsSync(join(root, 'crates', name, 'Cargo.toml')))

const modules = sources.filter((file) => /^src\/.*\.ts$/.test(file))
const interfaces = new Set(modules.filter((file) => file.includes('/api/') || INTERFACES.has(file.slice('src/'.length))))
const imports = modules.flatMap((file) => importsOf(file, text(file))).filter(({ to }) => to.startsWith('src/'))

test('crates depend on each other along the drawn arrows only', (t) => {
  t.true(crates.length >= 7)
  for (const crate of crates) {
    const allowed = ARROWS[crate]
    if (allowed === undefined) {
      t.fail(`crates/${crate} has no entry in ARROWS`)
      continue
    }
    const wrong = dependenciesOf(crate)
      .filter((name) => name.startsWith('ledgerstone-'))
      .map((name) => name.slice('ledgerstone-'.length))
      .filter((name) => name !== 'format' && name !== crate && !allowed.includes(name))
    t.deepEqual(wrong, [], `crates/${crate} may not depend on these`)
  }
})

test('only the binding knows Node-API, and only the canonical store knows LMDB', (t) => {
  const users = (of: RegExp): string[] => crates.filter((crate) => dependenciesOf(crate).some((name) => of.test(name)))
  t.deepEqual(users(/^napi(-|$)/), ['binding'])
  t.deepEqual(users(/^(heed|lmdb)/), ['canonical-store'])
  t.deepEqual(users(/^(tokio|async-std|smol)$/), [])
})

test('only src/native/binding.ts loads native code', (t) => {
  const importers = sources.filter((file) => file.startsWith('src/') && /\bloadNative\(|['"](\.\.\/)+native\./.test(text(file)))
  t.deepEqual(importers, ['src/native/binding.ts', 'src/native/native-file.ts'])
})

test('rooms of src import what stands below them', (t) => {
  t.true(imports.length > 300)
  t.deepEqual(importsUpwards('src/', FLOORS), [])
  t.deepEqual(importsUpwards('src/canonical-store/', STORE_FLOORS), [])
})

test('interface files import interface files', (t) => {
  t.true(interfaces.size > 15)
  t.deepEqual(
    [...interfaces].filter((file) => !isInterfaceFile(text(file))),
    [],
  )
  const wrong = imports.filter(({ from, to }) => interfaces.has(from) && !interfaces.has(to) && !PUBLIC_CLASSES.has(to))
  t.deepEqual(wrong.map(written), [])
})

test('no file of src comes back to itself by what it imports, types included', (t) => {
  t.is(circleIn(imports)?.join(' → '), undefined)
})

test('rooms of the binding use what stands below them, and no file of it comes back to itself', (t) => {
  const files = new Set(sources.filter((file) => /^crates\/binding\/src\/.*\.rs$/.test(file)))
  const uses = [...files].filter((file) => !file.endsWith('/tests.rs')).flatMap((file) => usesOf(file, text(file), files))
  t.true(uses.length > 150)
  t.deepEqual(importsUpwards('crates/binding/src/', BINDING_FLOORS, uses), [])
  t.is(circleIn(uses)?.join(' → '), undefined)
})

test("a crate's uses are read from every kind of path", (t) => {
  const files = new Set(['lib.rs', 'error.rs', 'hot/mod.rs', 'hot/page/mod.rs', 'hot/page/range.rs', 'hot/pool.rs', 'cold.rs'].map((name) => `crates/x/src/${name}`))
  const used = (file: string, code: string): string[] =>
    usesOf(`crates/x/src/${file}`, code, files)
      .map(({ to }) => to.slice('crates/x/src/'.length))
      .toSorted()
  t.deepEqual(used('cold.rs', 'use crate::{\n    error::{Failure, *},\n    hot::{page::{self, range::Range}, pool::Pool},\n};\n'), [
    'error.rs',
    'hot/page/mod.rs',
    'hot/page/range.rs',
    'hot/pool.rs',
  ])
  t.deepEqual(used('cold.rs', 'use crate::hot::{\n    pool,\n};\nfn f() { crate::error::g() }\n// crate::hot::page\n'), ['error.rs', 'hot/pool.rs'])
  t.deepEqual(used('hot/page/mod.rs', 'mod range;\nuse range::Range;\nuse super::pool::Pool;\n'), ['hot/page/range.rs', 'hot/pool.rs'])
  t.deepEqual(used('hot/page/range.rs', 'use super::super::pool;\nuse std::ops::Range;\nmy_crate::error::g();\n'), ['hot/pool.rs'])
  t.deepEqual(used('error.rs', 'use crate::Thing;\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n    use crate::cold::f;\n}\n'), ['lib.rs'])
})

test('locks, event logs and snapshot sets load nothing of the store', (t) => {
  for (const room of ['lock-manager', 'event-log', 'snapshot-set']) {
    const loaded = loadedWith(`src/${room}/index.ts`, imports)
    t.true(loaded.includes('src/native/binding.ts'))
    t.deepEqual(
      loaded.filter((file) => file.startsWith('src/canonical-store/')),
      [],
    )
    t.deepEqual(imports.filter(({ from, to }) => from.startsWith(`src/${room}/`) && to.startsWith('src/canonical-store/')).map(written), [])
  }
})

// Fake timers made awaited writes hang, and a jsdom or zone.js global made values of the platform strangers: its functions were looked up at each call, its
// classes used with `instanceof`. They are taken once, in one file, and objects are recognised by what they can do.
test('the platform is taken in one place', (t) => {
  const taken = /(?<![.\w#])(setTimeout|clearTimeout|setInterval|clearInterval|setImmediate|queueMicrotask|performance|AbortController)\b(?=[.(),])/g
  const found = sources
    .filter((file) => file.startsWith('src/') && file !== 'src/internal/platform.ts')
    .flatMap((file) => {
      const code = text(file).replace(/^\s*(\/\/|\/?\*).*$/gm, '')
      const imported = /import \{ (.+) \} from '[./]+\/(?:internal\/)?platform\.ts'/.exec(code)?.[1]?.split(', ') ?? []
      const raw = [...code.matchAll(taken)].map(([, name]) => name as string).filter((name) => !imported.includes(name))
      const others =
        code.match(
          /\bprocess\.nextTick\b|\bDate\.now\b|\bnew Date\(|\.throwIfAborted\(\)|\binstanceof (Uint8Array|ArrayBuffer|SharedArrayBuffer|URL|AbortSignal|Promise|Array|Error)\b|'(node:)?(timers|perf_hooks)/g,
        ) ?? []
      return [...raw, ...others].map((what) => `${file}: ${what}`)
    })
  t.deepEqual(found, [])
})

// An enumerable property on Object.prototype was an unknown option.
test('names of options are own ones', (t) => {
  const found = sources.filter((file) => file.startsWith('src/') && /for \(const \w+ in /.test(text(file)))
  t.deepEqual(found, [])
})

test('no source file hides several', (t) => {
  const long = sources
    .filter((file) => /\.(rs|ts)$/.test(file) && !/^(__test__|bench)\/|\/tests\//.test(file))
    .map((file) => ({ file, lines: text(file).split('\n').length }))
    .filter(({ lines }) => lines > MAX_LINES)
  t.deepEqual(long, [], `over ${MAX_LINES} lines: ask what hides in it`)
})

test('a folder of a crate has a mod.rs, and no file beside it has its name', (t) => {
  const rust = sources.filter((file) => /^crates\/[^/]+\/(src|tests)\/.*\.rs$/.test(file))
  const folders = new Set(rust.map((file) => posix.dirname(file)))
  t.deepEqual(
    rust.filter((file) => folders.has(file.slice(0, -'.rs'.length))),
    [],
    'a folder beside it has the same name',
  )
  const inner = [...folders].filter((folder) => /^crates\/[^/]+\/src\/./.test(folder))
  t.deepEqual(
    inner.filter((folder) => !rust.includes(`${folder}/mod.rs`)),
    [],
    'without mod.rs',
  )
})

test('nothing is put off', (t) => {
  const found = sources.flatMap((file) => {
    const content = text(file)
    return BANNED.filter((word) => content.includes(word)).map((word) => `${file}: ${word}`)
  })
  t.deepEqual(found, [])
})

test('every source file begins by saying what it is', (t) => {
  const silent = sources.filter((file) => {
    if (!/^(src|bench|scripts|examples|fuzz|crates\/[^/]+\/(src|examples))\/.*\.(ts|rs)$/.test(file)) return false
    return !/^(#!.*\n)?(\/\/|\/\*\*)/.test(text(file))
  })
  t.deepEqual(silent, [])
})

test('documents and comments are plain English', (t) => {
  t.true(documents.length > 40)
  const commented = sources.filter((file) => PLAIN_COMMENTS.test(file)).map((file) => [file, commentsOf(file, text(file))] as const)
  for (const extension of ['.rs', '.ts']) {
    const paragraphs = commented.filter(([file]) => file.endsWith(extension)).flatMap(([, paragraphs]) => paragraphs)
    t.true(paragraphs.length > 2000, `${extension}: ${paragraphs.length}`)
  }
  const written = documents.filter((file) => file !== 'docs/STATUS.md').map((file) => [file, paragraphsOf(file)] as const)
  const found = [...written, ...commented].flatMap(([file, paragraphs]) =>
    paragraphs.flatMap((paragraph) => {
      return Object.entries(HABITS).flatMap(([instead, habit]) =>
        habit.test(paragraph) ? [`${file}: "${paragraph.slice(paragraph.search(habit)).slice(0, 60)}…": ${instead}`] : [],
      )
    }),
  )
  t.deepEqual(found, [])
})

test('comments are found in every place, and not inside of literals', (t) => {
  const rust =
    '//! One\n//! file.\n//!\n//! More.\nfn f<\'a>(a: &\'a str) {} // Behind.\n// Below.\n/// Doc.\nlet s = "// no \\" // no";\nlet r = r#"" // no"#; let c = \'"\'; // Char.\n'
  t.deepEqual(commentsOf('x.rs', rust), ['One file.', 'More.', 'Behind.', 'Below. Doc.', 'Char.'])
  const script =
    "/**\n * One\n * file.\n *\n * More.\n */\nconst s = '// no' // Behind.\n/** Doc. */\nconst u = `http://no ${s /* Inside. */} // no`, p = /[`\"'] \\/\\/ no/ // Last.\n"
  t.deepEqual(commentsOf('x.ts', script), ['One file.', 'More.', 'Behind.', 'Doc.', 'Inside.', 'Last.'])
})

test('each habit is recognised, and plain sentences are not', (t) => {
  const habits = [
    'Whoever is first waits.',
    'The loop ends. Who waits is woken.',
    'It is ordered by who scans it.',
    'The caller is told so.',
    'Nothing can be had at once.',
    'It costs so much.',
    'Others write meanwhile.',
    'A thread of its own runs it.',
    'It goes round the cache.',
    'It is one pass, whatever stands there.',
  ]
  const plain = [
    'A caller that waits is woken.',
    'Who waits for what?',
    'Two versions are told apart.',
    'It had no room.',
    'Meanwhile others write.',
    'Each thread has its own lock.',
    'Round trips are counted.',
    'The cost stands in the table.',
    'Sets have the order in which they are asked for.',
  ]
  t.deepEqual(
    habits.filter((line) => !Object.values(HABITS).some((habit) => habit.test(line))),
    [],
  )
  t.deepEqual(
    plain.filter((line) => Object.values(HABITS).some((habit) => habit.test(line))),
    [],
  )
})

test('documents link to what exists, and name no document that does not', (t) => {
  const known = new Set(documents.map((file) => file.split('/').at(-1)))
  const found = documents.flatMap((file) => {
    const lines = prose(file).join('\n')
    const links = [...lines.matchAll(/\]\(([^)\s]+)\)/g)].map(([, to]) => to as string).filter((to) => !/^https?:/.test(to) && !leads(file, to))
    const names = (lines.match(/(?<![\w./-])[A-Za-z][\w-]*\.md\b/g) ?? []).filter((name) => !known.has(name) && name !== 'NNNN-title.md')
    return [...links, ...names].map((what) => `${file}: ${what}`)
  })
  t.deepEqual(found, [])
})

test('a decision that another one replaced says so, and the other one too', (t) => {
  const decisions = documents.filter((file) => file.startsWith('docs/decisions/'))
  const heads = decisions.map((file) => ({ file: file.split('/').at(-1) as string, head: text(file).split('\n').slice(1, 4).join('\n') }))
  const named = (how: RegExp): string[] => heads.flatMap(({ file, head }) => [...head.matchAll(how)].map(([, other]) => `${file} ${other}`))
  const [later, earlier] = [named(/^> Supersedes \[[^\]]+\]\(([^)]+)\)/gm), named(/^> Superseded (?:in part )?by \[[^\]]+\]\(([^)]+)\)/gm)]
  t.true(later.length > 0)
  t.deepEqual(earlier.map((pair) => pair.split(' ').toReversed().join(' ')).toSorted(), later.toSorted())
})

test('generated files are marked', (t) => {
  const attributes = text('.gitattributes').split('\n')
  for (const path of GENERATED) {
    t.true(
      attributes.some((line) => line.startsWith(`/${path} `) && line.includes('linguist-generated=true')),
      path,
    )
  }
})

test('package, sources and workspace carry one version', (t) => {
  const manifest = JSON.parse(text('package.json')) as { version: string; dependencies?: object; scripts: Record<string, string> }
  t.is(/^version = "(.+)"$/m.exec(text('Cargo.toml'))?.[1], manifest.version)
  t.is(/VERSION = '(.+)'/.exec(text('src/internal/version.ts'))?.[1], manifest.version)
  t.is(manifest.dependencies, undefined, 'the package has no runtime dependencies')
  t.deepEqual(
    Object.keys(manifest.scripts).filter((name) => /^(pre|post)?install$/.test(name)),
    [],
    'and no install scripts',
  )
})

test('the fuzzer is built of the versions that the package is built of', (t) => {
  const versions = (file: string): string[] => [...text(file).matchAll(/^name = "(.+)"\nversion = "(.+)"$/gm)].map(([, name, version]) => `${name} ${version}`)
  const known = new Set(versions('Cargo.lock'))
  t.deepEqual(
    versions('fuzz/Cargo.lock')
      .filter((version) => !known.has(version))
      .map((version) => version.split(' ')[0]),
    ['ledgerstone-fuzz', 'libfuzzer-sys'],
  )
})

test('the lock names no download addresses', (t) => {
  t.false(text('package-lock.json').includes('"resolved"'))
})

// An error that has crossed the user's code may be another store's, so its code or class says nothing (docs/decisions/0029). What native code has just
// answered may be looked at, and what is handed on as it is; each place is listed here with how often it looks.
test("errors are told apart by code or class only where nothing of the user's has run", (t) => {
  const known: Record<string, number> = {
    'src/errors.ts': 3, // `hasCode` itself
    'src/retry.ts': 1, // the user's own function is asked for nothing else
    'src/canonical-store/writing/open-transaction.ts': 3, // taking the gate, two ways to commit
    'src/canonical-store/shared-store.ts': 3, // native code's own record
    'src/canonical-store/writing/writer.ts': 2, // a blind commit, a change of the store's condition
    'src/canonical-store/key-space.ts': 1, // a codec's argument mistake is handed on
    'src/codecs/payload-codec.ts': 3, // a codec's own refusal is handed on, and gets the event's id
  }
  const looks = /hasCode\(|\.code [!=]==|instanceof \w+Error\b/g
  const found = sources
    .filter((file) => file.startsWith('src/'))
    .map((file) => [file, text(file).match(looks)?.length ?? 0] as const)
    .filter(([file, count]) => count !== (known[file] ?? 0))
  t.deepEqual(found, [])
})

test('rooms have the same names everywhere', (t) => {
  const rooms = new Set([...Object.keys(ARROWS), 'codecs', 'internal', 'native', 'postgres', 'cli'])
  const folders = foldersOf('src').filter((name) => !rooms.has(name))
  t.deepEqual(folders, [])
  const tests = new Set([...rooms, 'crash', 'lifecycle', 'counted', 'bench', 'errors', 'format', 'package', 'types', 'support', 'examples', 'documentation'])
  t.deepEqual(
    foldersOf('__test__').filter((name) => !tests.has(name)),
    [],
  )
})

// Bug: scenes waited for ever for a worker's message or end. Mechanism: they listened after it had come, on a Node that started it faster. Fix: what a
// worker tells and how it ends is kept from its start, by `startWorker`, and there is no other way to start one.
test('tests start workers by startWorker alone', (t) => {
  const others = sources.filter((file) => /^__test__\/.*\.ts$/.test(file) && /\bnew Worker[(]/.test(text(file)))
  t.deepEqual(others, ['__test__/support/workers.ts'])
})

test('what runs as TypeScript is syntax that the oldest supported Node knows', (t) => {
  const later = sources.filter((file) => /^(src|bench|examples|scripts|__test__(?!\/types))\/.*\.ts$/.test(file) && /^\s*(?:await )?using \w+ =/m.test(text(file)))
  t.deepEqual(later, [], '`using` is not')
})

/** The imports below `folder` that lead up, or to another room of the same floor. */
function importsUpwards(folder: string, floors: readonly Floor[], within: readonly Import[] = imports): string[] {
  const placeOf = (file: string): { floor: number; room: number } => {
    const name = file.slice(folder.length)
    const floor = floors.findIndex((rooms) => rooms.some((room) => isIn(room, name)))
    if (floor < 0) throw new Error(`${file} stands on no floor`)
    return { floor, room: (floors[floor] as Floor).findIndex((room) => isIn(room, name)) }
  }
  return within
    .filter(({ from, to }) => {
      if (!from.startsWith(folder) || !to.startsWith(folder) || interfaces.has(to)) return false
      const [here, there] = [placeOf(from), placeOf(to)]
      return there.floor > here.floor || (there.floor === here.floor && there.room !== here.room)
    })
    .map(written)
}

function isIn(room: readonly string[], name: string): boolean {
  return room.some((part) => (part.endsWith('/') ? name.startsWith(part) : name === part))
}

function written({ from, to }: Import): string {
  return `${from} → ${to}`
}

function dependenciesOf(crate: string): string[] {
  const names: string[] = []
  let inside = false
  for (const line of text(`crates/${crate}/Cargo.toml`).split('\n')) {
    const section = /^\[(.+)\]$/.exec(line)?.[1]
    if (section !== undefined) {
      inside = /(^|\.)(dependencies|dev-dependencies|build-dependencies)$/.test(section)
      const table = /dependencies\.(.+)$/.exec(section)?.[1]
      if (table !== undefined) names.push(table)
    } else if (inside) {
      const name = /^([\w-]+)(?:\.workspace)?\s*=/.exec(line)?.[1]
      if (name !== undefined) names.push(name)
    }
  }
  return names
}

function filesOfTheTree(): string[] {
  if (existsSync(join(root, '.git'))) {
    const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
    return listed.split('\n').filter((file) => file !== '' && existsSync(join(root, file)))
  }
  const skipped = /^(node_modules|target|dist|coverage|\.tmp)$/
  const below = (folder: string): string[] =>
    readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return skipped.test(entry.name) ? [] : below(path)
      return [path.split(sep).join('/')]
    })
  return below('.')
}

/** A document's lines; those inside of code blocks are empty. */
function prose(file: string): string[] {
  let isCode = false
  return text(file)
    .split('\n')
    .map((line) => {
      const isFence = line.startsWith('```')
      if (isFence) isCode = !isCode
      return isCode || isFence ? '' : line
    })
}

/** A document's paragraphs, each as one line. */
function paragraphsOf(file: string): string[] {
  return prose(file)
    .join('\n')
    .split(/\n\n/)
    .map((paragraph) => paragraph.replaceAll(/\n */g, ' '))
}

/** Whether a link of a document leads to a file or folder of the tree, and to a heading of it. */
function leads(from: string, to: string): boolean {
  const [path = '', anchor] = to.split('#')
  const target = path === '' ? from : posix.join(posix.dirname(from), path)
  if (!existsSync(join(root, target))) return false
  const slugs =
    anchor === undefined
      ? []
      : prose(target)
          .filter((line) => line.startsWith('#'))
          .map((line) =>
            line
              .replace(/^#+ /, '')
              .toLowerCase()
              .replaceAll(/[^\w -]/g, '')
              .replaceAll(' ', '-'),
          )
  return anchor === undefined || slugs.includes(anchor)
}

function foldersOf(folder: string): string[] {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
}

function isGenerated(file: string): boolean {
  return GENERATED.some((path) => (path.endsWith('/**') ? file.startsWith(path.slice(0, -2)) : file === path))
}

function text(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}
