// How a child tells its parent something: a line, written at once. What was reported is known even if the child dies in the next instruction.
import { writeSync } from 'node:fs'

/** The descriptor that children report on. */
export const REPORT_FD = 3

/** Reports a line; from a worker thread too. */
export function report(line: string): void {
  writeSync(REPORT_FD, `${line}\n`)
}
