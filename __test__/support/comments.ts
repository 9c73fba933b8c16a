// The comments of a Rust or TypeScript source, as paragraphs. Text inside of a literal is no comment.
import ts from 'typescript'

const RUST_LITERAL = String.raw`\bb?r(#*)"[\s\S]*?"\1|"(?:\\[\s\S]|[^"\\])*"|'(?:\\(?:u\{\w+\}|x\w\w|.)|[^'\\\n])'`
const COMMENT = String.raw`(?<comment>\/\/.*|\/\*[\s\S]*?\*\/)`

/** The paragraphs of all comments of `file`, each as one line. Comments on lines that follow each other are one; an empty comment line parts two paragraphs. */
export function commentsOf(file: string, text: string): string[] {
  const isRust = file.endsWith('.rs')
  const code = isRust ? text : withoutLiterals(file, text)
  const comments: string[] = []
  let end = -1 // of the comment before, if that has its lines for itself
  for (const { groups, index } of code.matchAll(new RegExp(isRust ? `${RUST_LITERAL}|${COMMENT}` : COMMENT, 'g'))) {
    const comment = groups?.['comment']
    if (comment === undefined) continue
    const isAlone = /(^|\n) *$/.test(text.slice(Math.max(0, index - 200), index))
    if (isAlone && end >= 0 && /^\n *$/.test(text.slice(end, index))) comments.push(`${comments.pop()}\n${comment}`)
    else comments.push(comment)
    end = isAlone ? index + comment.length : -1
  }
  return comments
    .flatMap((comment) =>
      comment
        .split('\n')
        .map(bare)
        .join('\n')
        .split(/\n{2,}/),
    )
    .map((paragraph) => paragraph.replaceAll('\n', ' ').trim())
    .filter((paragraph) => paragraph !== '')
}

/**
 * A script with something else of the same length in the place of each literal. The compiler's parser tells them: a quote or a slash inside of a template or of a
 * pattern would lead a regular expression astray.
 */
function withoutLiterals(file: string, text: string): string {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2023)
  const pieces: string[] = []
  let end = 0
  const visit = (node: ts.Node): void => {
    if (ts.isLiteralExpression(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) {
      const start = node.getStart(source)
      pieces.push(text.slice(end, start), '_'.repeat(node.end - start))
      end = node.end
    } else ts.forEachChild(node, visit)
  }
  visit(source)
  return pieces.join('') + text.slice(end)
}

/** A line without the signs that make it a comment. */
function bare(line: string): string {
  return line
    .replace(/^ *(?:\/\/[/!]?|\/?\*+(?!\/))? ?/, '')
    .replace(/ *\*\/$/, '')
    .trimEnd()
}
