// What the demo prints: headings, a progress bar that moves on a terminal and is a few plain lines elsewhere, tables, a bar chart.
import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

const live = process.stdout.isTTY && process.env['NO_COLOR'] === undefined
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

export const style = (format: Style, text: string): string => (live ? styleText(format, text) : text)
export const count = (value: number): string => Math.round(value).toLocaleString('en-US')
export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`
export const seconds = (ms: number): string => (ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`)
export const perSecond = (amount: number, ms: number): string => `${count(ms > 0 ? (amount * 1000) / ms : 0)}/s`

export function heading(text: string): void {
  console.log(`\n${style('bold', text)}`)
}

export function say(text: string): void {
  console.log(`  ${text}`)
}

export function proved(text: string): void {
  console.log(`  ${style('green', '✔')} ${text}`)
}

/** Rows of cells below each other; numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? count(cell) : cell)))
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i]?.length ?? 0)))
  const line = (row: readonly string[], numbers: (i: number) => boolean): string =>
    row.map((cell, i) => (numbers(i) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join('   ')
  const isNumber = (i: number): boolean => typeof rows[0]?.[i] === 'number'
  say(style('dim', line(head, isNumber)))
  for (const row of cells) say(line(row, isNumber))
}

/** One horizontal bar for each value; the longest is `width` characters. */
export function barChart(bars: readonly { readonly label: string; readonly value: number; readonly note: string }[], width = 50): void {
  const most = Math.max(...bars.map(({ value }) => value), 1)
  for (const { label, value, note } of bars) {
    const eighths = Math.max(0, Math.round((value / most) * width * 8))
    const bar = '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? '')
    say(`${label} ${style(value > most * 0.75 ? 'red' : value > most * 0.4 ? 'yellow' : 'green', bar)} ${style('dim', note)}`)
  }
}

/** A bar with rates. On a terminal it is drawn over itself; elsewhere each tenth is a line. */
export class ProgressBar {
  readonly #total: number
  readonly #startedMs = performance.now()
  #tenth = -1

  constructor(total: number) {
    this.#total = total
  }

  update(done: number, note: string): void {
    const part = Math.min(1, done / this.#total)
    const percent = `${(part * 100).toFixed(0).padStart(3)} %`
    if (live) {
      const filled = Math.round(part * 30)
      process.stdout.write(`\r\u001B[2K  ${style('cyan', '█'.repeat(filled))}${style('dim', '░'.repeat(30 - filled))} ${percent}  ${note}`)
      return
    }
    const tenth = Math.floor(part * 10)
    if (tenth === this.#tenth) return
    this.#tenth = tenth
    say(`${percent}  ${note}`)
  }

  /** Ends the line; how long the bar was there. */
  end(): number {
    if (live) process.stdout.write('\n')
    return performance.now() - this.#startedMs
  }
}
