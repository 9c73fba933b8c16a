// The comments of a Rust or TypeScript source, as paragraphs. Text inside string literals is no comment.

const RUST_LITERAL = String.raw`\bb?r(#*)"[\s\S]*?"\1|"(?:\\[\s\S]|[^"\\])*"|'(?:\\(?:u\{\w+\}|x\w\w|.)|[^'\\\n])'`
const SCRIPT_LITERAL = String.raw`()'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|` + '`(?:\\\\[\\s\\S]|[^`\\\\])*`'
const COMMENT = String.raw`(\/\/.*|\/\*[\s\S]*?\*\/)`

/** The paragraphs of all comments of `file`, each as one line. Comments on lines that follow each other are one; an empty comment line parts two paragraphs. */
export function commentsOf(file: string, text: string): string[] {
  const token = new RegExp(`${file.endsWith('.rs') ? RUST_LITERAL : SCRIPT_LITERAL}|${COMMENT}`, 'g')
  const comments: string[] = []
  let end = -1 // of the comment before, if that has its lines for itself
  for (const { 0: match, 2: comment, index } of text.matchAll(token)) {
    if (comment === undefined) continue
    const isAlone = /(^|\n) *$/.test(text.slice(Math.max(0, index - 200), index))
    if (isAlone && end >= 0 && /^\n *$/.test(text.slice(end, index))) comments.push(`${comments.pop()}\n${comment}`)
    else comments.push(comment)
    end = isAlone ? index + match.length : -1
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

/** A line without the signs that make it a comment. */
function bare(line: string): string {
  return line
    .replace(/^ *(?:\/\/[/!]?|\/?\*+(?!\/))? ?/, '')
    .replace(/ *\*\/$/, '')
    .trimEnd()
}
