// The order of the levels that a commit reaches. Knows nothing of stores.
import type { Durability } from './durability.ts'
import { invalidArgument } from './errors.ts'

/** The levels as numbers, so that `flushed`, which is not a durability, can follow them. @internal */
export const RANK: Readonly<Record<Durability, 0 | 1 | 2>> = Object.freeze({ __proto__: null, applied: 0, written: 1, durable: 2 } as never)

/**
 * Compares two levels: -1 when `a` is weaker than `b`, 1 when it is stronger, 0 when they are the same.
 *
 * @throws {@link InvalidArgumentError} when an argument is not a level
 *
 * @example
 * ```ts
 * console.log(compareDurability('written', 'durable')) // -1
 * ```
 */
export function compareDurability(a: Durability, b: Durability): -1 | 0 | 1 {
  return Math.sign(rankOf(a, 'a') - rankOf(b, 'b')) as -1 | 0 | 1
}

/** The number of a level, after a check. @internal */
export function rankOf(level: unknown, argument: string): 0 | 1 | 2 {
  const rank = typeof level === 'string' ? RANK[level as Durability] : undefined
  if (rank === undefined) throw invalidArgument(argument, "a durability is 'applied', 'written' or 'durable'")
  return rank
}
