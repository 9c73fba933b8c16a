// How steady the machine was: each heat that has the floor among its contestants tells.
import type { Floor, HeatResult } from './result.ts'
import { spreadPercent, type Spread } from './statistics.ts'

/** From here on a figure that hangs on the device says little. In percent of the median. */
export const STEADY_PERCENT = 15
/** Fewer rounds have no spread to speak of. */
const LEAST_ROUNDS = 3

export function floorsOf(heats: readonly HeatResult[]): Floor[] {
  return heats.flatMap((heat) => heat.rows.filter(({ contestant }) => contestant === 'floor').map(({ rate }) => floorOf(heat, rate)))
}

function floorOf({ name, title, unit, rounds }: HeatResult, rate: Spread): Floor {
  const floor = { name: `${name}: ${title}`, unit, rate }
  return rounds < LEAST_ROUNDS ? floor : { ...floor, spreadPercent: spreadPercent(rate) }
}

export function isSteady(floors: readonly Floor[]): boolean {
  return floors.length > 0 && floors.every(({ spreadPercent }) => spreadPercent !== undefined && spreadPercent < STEADY_PERCENT)
}
