// The comments of a TypeScript or JavaScript source, as paragraphs. The compiler's parser tells what is a string, a template or a pattern: text inside of one
// is no comment.
import ts from 'typescript'

/** Each paragraph as one line. Comments on lines that follow each other are one; an empty comment line parts two paragraphs. */
export function scriptCommentsOf(file: string, text: string): string[] {
  const comments: string[] = []
  let end = -1 // of the comment before, if that has its lines to itself
  for (const { 0: comment, index } of withoutLiterals(file, text).matchAll(/\/\/.*|\/\*[\s\S]*?\*\//g)) {
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

/** The text with something else of the same length in the place of each literal. */
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
    .replace(/^ *(?:\/\/|\/?\*+(?!\/))? ?/, '')
    .replace(/ *\*\/$/, '')
    .trimEnd()
}
