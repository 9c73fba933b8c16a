// Which file of `src` imports which, read from the sources: `import` and `export … from` with a relative path, those of types alone included.
import { posix } from 'node:path'

export interface Import {
  readonly from: string
  readonly to: string
  /** Nothing of it is left when the program runs. */
  readonly isTypeOnly: boolean
}

/** What one file imports from its own repository. */
export function importsOf(file: string, text: string): Import[] {
  const statements = withoutComments(text).matchAll(/(?:^|\n)\s*(?:import|export)\b([^'";]*?)(?:\bfrom\s*)?(['"])(\.[^'"\n]+)\2/g)
  return [...statements].map(([, what = '', , path = '']) => ({ from: file, to: posix.normalize(posix.join(posix.dirname(file), path)), isTypeOnly: isTypeOnly(what) }))
}

/** `type …`, or braces in which every name is a type. */
function isTypeOnly(what: string): boolean {
  if (/^\s*type\b/.test(what)) return true
  const names = /^\s*\{([^}]*)\}\s*$/.exec(what)?.[1]
  return (
    names !== undefined &&
    names
      .split(',')
      .filter((name) => name.trim() !== '')
      .every((name) => /^\s*type\s/.test(name))
  )
}

/** Only types: nothing is left of the file when the program runs. */
export function isInterfaceFile(text: string): boolean {
  const rest = withoutComments(text).replace(/^declare .*$/gm, '')
  return (
    !/^\s*(?:export\s+)?(?:default\s+)?(?:abstract\s+)?(?:async\s+)?(?:const|let|var|class|function|enum)\b/m.test(rest) &&
    importsOf('', rest).every((each) => each.isTypeOnly)
  )
}

/** The files from which one can come back to where one began, in the order of the way; `undefined` when there is no such way. */
export function circleIn(imports: readonly Import[]): string[] | undefined {
  const next = new Map<string, string[]>()
  for (const { from, to } of imports) next.set(from, [...(next.get(from) ?? []), to])
  const done = new Set<string>()
  const way: string[] = []
  const visit = (file: string): string[] | undefined => {
    const at = way.indexOf(file)
    if (at >= 0) return [...way.slice(at), file]
    if (done.has(file)) return undefined
    way.push(file)
    for (const to of next.get(file) ?? []) {
      const circle = visit(to)
      if (circle !== undefined) return circle
    }
    way.pop()
    done.add(file)
    return undefined
  }
  for (const file of next.keys()) {
    const circle = visit(file)
    if (circle !== undefined) return circle
  }
  return undefined
}

/** All that is loaded with a file. */
export function loadedWith(file: string, imports: readonly Import[]): string[] {
  const found = new Set([file])
  for (const each of found) for (const { from, to, isTypeOnly } of imports) if (from === each && !isTypeOnly) found.add(to)
  return [...found]
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
}
