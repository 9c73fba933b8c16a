// The end of a run: how steady the floor was, what fell short, and what nobody could prove.
import { STEADY_PERCENT } from './floors.ts'
import type { Floor, Grade, Result } from './result.ts'
import { lineOfProbeVerdict, lineOfVerdict } from './table.ts'

export function summaryOf({ seconds, floors, isSteady, heats, probes, skipped }: Result): string[] {
  const verdicts = [
    ...heats.flatMap(({ name, title, verdicts }) => verdicts.map((verdict) => ({ grade: verdict.grade, line: `${lineOfVerdict(verdict)} (${name}: ${title})` }))),
    ...probes.flatMap(({ name, verdicts }) => verdicts.map((verdict) => ({ grade: verdict.grade, line: `${lineOfProbeVerdict(verdict)} (${name})` }))),
  ]
  const unproven = heats.flatMap(({ name, unproven }) => unproven.map((what) => `  UNPROVEN ${what} (${name})`))
  const count = (grade: Grade): number => verdicts.filter((verdict) => verdict.grade === grade).length
  return [
    '',
    ...floors.map(lineOfFloor),
    steadiness(floors, isSteady),
    `${verdicts.length} targets: ${count('aim')} reach their aim, ${count('must')} what must be, ${count('short')} fall short`,
    ...verdicts.filter(({ grade }) => grade === 'short').map(({ line }) => line),
    ...unproven,
    ...skipped.map((what) => `  SKIPPED ${what}`),
    `in ${seconds.toFixed(0)} s`,
  ]
}

function steadiness(floors: readonly Floor[], isSteady: boolean): string {
  if (isSteady) return `the floor was steady: less than ${STEADY_PERCENT} % between its rounds`
  if (floors.some(({ spreadPercent = 0 }) => spreadPercent >= STEADY_PERCENT))
    return "THE FLOOR WAS NOT STEADY: no claim can be made of this run's figures that hang on the device"
  return 'too few rounds to say whether the floor was steady: no claim can be made of this run'
}

function lineOfFloor({ name, unit, rate, spreadPercent }: Floor): string {
  const [median, least, most] = [rate.median, rate.least, rate.most].map((value) => Math.round(value).toLocaleString('en-US'))
  return `floor in ${name}: ${median} ${unit}/s (${least} to ${most}), spread ${spreadPercent === undefined ? 'unknown, too few rounds' : `${spreadPercent.toFixed(0)} %`}`
}
