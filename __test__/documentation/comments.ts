// What the comments of the public sources show and say: the examples, which methods have none, which options do not tell their default.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

export const root = fileURLToPath(new URL('../..', import.meta.url))
const API = 'src/canonical-store/api'
const FILES = [
  ...readdirSync(join(root, API)).map((name) => `${API}/${name}`),
  'src/canonical-store/open.ts',
  'src/codecs/binary.ts',
  'src/codecs/envelope.ts',
  'src/codecs/envelope-types.ts',
  'src/codecs/json.ts',
  'src/codecs/utf8.ts',
  'src/compare-durability.ts',
  'src/event-log/event-log.ts',
  'src/event-log/log-types.ts',
  'src/lock-manager/lock-manager.ts',
  'src/lock-manager/locks.ts',
  'src/retry.ts',
  'src/snapshot-set/file-snapshot-set.ts',
  'src/snapshot-set/snapshot-types.ts',
  'src/write-coordinator/coordinator-types.ts',
  'src/write-coordinator/http.ts',
  'src/write-coordinator/items-flusher.ts',
  'src/write-coordinator/json-lines.ts',
  'src/write-coordinator/list-delta.ts',
  'src/write-coordinator/map-delta.ts',
  'src/write-coordinator/parquet.ts',
  'src/write-coordinator/write-coordinator.ts',
]

/** A piece of code in a comment. */
export interface Example {
  readonly of: string
  readonly code: string
}

export interface Comments {
  readonly examples: readonly Example[]
  /** Functions and methods without an example. That of an interface counts for the methods that it shows. */
  readonly unshown: readonly string[]
  /** Options without a default. */
  readonly withoutDefault: readonly string[]
}

/** Reads them all. */
export function readComments(): Comments {
  const examples: Example[] = []
  const shown = new Map<string, boolean>()
  const withoutDefault: string[] = []
  const callable = (name: string, node: ts.Node): void => {
    const found = examplesOf(name, node)
    examples.push(...found)
    shown.set(name, shown.get(name) === true || found.length > 0) // one of the overloads does
  }
  for (const file of FILES) {
    for (const node of publicNodes(file)) {
      const name = node.name?.text ?? ''
      if (ts.isFunctionDeclaration(node)) {
        callable(name, node)
        continue
      }
      const own = examplesOf(name, node)
      examples.push(...own)
      for (const member of membersOf(node)) {
        const memberName = member.name?.getText() ?? ''
        const full = `${name}.${memberName}`
        if (ts.isMethodSignature(member) || ts.isMethodDeclaration(member)) {
          callable(full, member)
          if (ts.isInterfaceDeclaration(node) && own.some(({ code }) => code.includes(`${memberName}(`))) shown.set(full, true)
        } else examples.push(...examplesOf(full, member))
        if (ts.isPropertySignature(member) && name.endsWith('Options')) withoutDefault.push(...missingDefaults(name, member))
      }
    }
  }
  return { examples, unshown: [...shown].filter(([, has]) => !has).map(([name]) => name), withoutDefault }
}

/** The names that an entry of the package exports: values, and types. */
export function namesOf(entry: string): { readonly values: readonly string[]; readonly types: readonly string[] } {
  const values: string[] = []
  const types: string[] = []
  for (const statement of sourceOf(entry).statements) {
    if (!ts.isExportDeclaration(statement) || statement.exportClause === undefined || !ts.isNamedExports(statement.exportClause)) continue
    for (const { isTypeOnly, name } of statement.exportClause.elements) (statement.isTypeOnly || isTypeOnly ? types : values).push(name.text)
  }
  return { values, types }
}

type Public = ts.FunctionDeclaration | ts.InterfaceDeclaration | ts.ClassDeclaration

function publicNodes(file: string): Public[] {
  const isPublic = (node: ts.Statement): node is Public =>
    (ts.isFunctionDeclaration(node) || ts.isInterfaceDeclaration(node) || ts.isClassDeclaration(node)) && isExported(node) && !isInternal(node)
  return sourceOf(file).statements.filter(isPublic)
}

function membersOf(node: ts.InterfaceDeclaration | ts.ClassDeclaration): ts.NamedDeclaration[] {
  const members: readonly (ts.TypeElement | ts.ClassElement)[] = node.members
  return members.filter((member) => member.name !== undefined && ts.isIdentifier(member.name) && !isInternal(member))
}

/** The option itself, or those of a group of options that has its own. */
function missingDefaults(owner: string, option: ts.PropertySignature): string[] {
  const name = `${owner}.${option.name.getText()}`
  if (option.questionToken === undefined) return []
  const group = ts.isUnionTypeNode(option.type as ts.Node) ? (option.type as ts.UnionTypeNode).types.find(ts.isTypeLiteralNode) : undefined
  if (group !== undefined) return group.members.filter(ts.isPropertySignature).flatMap((member) => missingDefaults(name, member))
  return hasTag(option, 'default') ? [] : [name]
}

function examplesOf(of: string, node: ts.Node): Example[] {
  return ts
    .getJSDocTags(node)
    .filter(({ tagName }) => tagName.text === 'example')
    .map((tag) => {
      const code = /```ts\n([\s\S]*?)\n```/.exec(ts.getTextOfJSDocComment(tag.comment) ?? '')?.[1]
      if (code === undefined) throw new Error(`the example of ${of} has no block of TypeScript`)
      return { of, code }
    })
}

function isExported(node: ts.Node): boolean {
  return ts.canHaveModifiers(node) && ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true
}

function isInternal(node: ts.Node): boolean {
  return hasTag(node, 'internal')
}

function hasTag(node: ts.Node, name: string): boolean {
  return ts.getJSDocTags(node).some(({ tagName }) => tagName.text === name)
}

function sourceOf(file: string): ts.SourceFile {
  return ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.ES2023, true)
}
