// What the file names of the ready flushers may begin with.
import { invalidArgument } from '../errors.ts'

/** Letters, digits, `-`, `_` and `.`, at most 64. @throws `ERR_INVALID_ARGUMENT` */
export function checkedName(name: unknown): string {
  if (typeof name === 'string' && /^[\w][\w.-]{0,63}$/.test(name)) return name
  throw invalidArgument('name', 'a name is made of letters, digits, `-`, `_` and `.`')
}
