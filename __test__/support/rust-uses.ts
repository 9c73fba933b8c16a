// Which file of a crate uses which, read from the sources: paths from `crate`, `self` and `super`, in `use` and elsewhere, and those through a module that
// the file declares. Left out are the tests at a file's end, and methods: those that other files add to a type are found without a path.
import { posix } from 'node:path'
import type { Import } from './imports.ts'

/** What one file uses from its own crate, whose `files` are known by their paths in the repository. */
export function usesOf(file: string, text: string, files: ReadonlySet<string>): Import[] {
  const code = text.replace(/^#\[cfg\(test\)\]\n(?:#\[.*\n)*mod \w+ \{[\s\S]*$/m, '').replace(/\/\/.*$/gm, '')
  const root = file.slice(0, file.indexOf('/src/') + '/src/'.length)
  const here = file
    .slice(root.length, -'.rs'.length)
    .split('/')
    .filter((part) => !['mod', 'lib'].includes(part))
  const declared = [...code.matchAll(/^(?:pub(?:\([^)]*\))? )?mod (\w+);/gm)].map(([, name]) => name as string)
  const begins = new RegExp(`(?<![:\\w])(?:crate|self|super${declared.map((name) => `|${name}`).join('')})::`, 'g')
  const paths = [...code.matchAll(begins)].flatMap(({ index }) => leavesOf(code, index)).map((path) => absolute(path, here))
  const to = new Set(paths.map((path) => fileOf(path, root, files)))
  to.delete(file)
  return [...to].map((used) => ({ from: file, to: used, isTypeOnly: false }))
}

/** The paths that a use tree at `at` stands for: `a::{b, c::d}` is `a::b` and `a::c::d`. */
function leavesOf(code: string, at: number): string[][] {
  let rest = at
  const tree = (before: readonly string[]): string[][] => {
    const path = [...before]
    for (;;) {
      rest += /^\s*/.exec(code.slice(rest))?.[0].length ?? 0
      if (code[rest] === '{') return group(path)
      const name = /^(?:\w+|\*)/.exec(code.slice(rest))?.[0] ?? ''
      path.push(name)
      rest += name.length
      if (name === '' || !code.startsWith('::', rest)) return [path]
      rest += '::'.length
    }
  }
  const group = (path: readonly string[]): string[][] => {
    const leaves: string[][] = []
    while (rest < code.length && code[rest] !== '}') {
      rest++
      if (/^\s*\}/.test(code.slice(rest))) break
      leaves.push(...tree(path))
      rest += /^[^,{}]*/.exec(code.slice(rest))?.[0].length ?? 0
    }
    rest = code.indexOf('}', rest) + 1
    return leaves
  }
  return tree([])
}

/** A path from the crate's root, without `crate`, `self` and `super`. */
function absolute(path: readonly string[], here: readonly string[]): string[] {
  const found = path[0] === 'crate' ? [] : [...here]
  for (const name of path) {
    if (name === 'super') found.pop()
    else if (name !== 'crate' && name !== 'self') found.push(name)
  }
  return found
}

/** The file of the innermost module on a path. */
function fileOf(path: readonly string[], root: string, files: ReadonlySet<string>): string {
  for (let length = path.length; length > 0; length--) {
    const module = posix.join(root, ...path.slice(0, length))
    const file = [`${module}.rs`, `${module}/mod.rs`].find((candidate) => files.has(candidate))
    if (file !== undefined) return file
  }
  return `${root}lib.rs`
}
