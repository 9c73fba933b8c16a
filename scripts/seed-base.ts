// Where the fresh seeds of a run begin: another place in every run, printed, so that the run can be repeated.
import { createHash } from 'node:crypto'
import { run } from './command.ts'

const NAME = 'LEDGERSTONE_SEED_BASE'

/** Sets LEDGERSTONE_SEED_BASE (an unsigned number of 64 bits, decimal) from date and commit, unless it is set, and prints it. */
export async function setSeedBase(): Promise<void> {
  process.env[NAME] ??= await freshBase()
  console.log(`${NAME}=${process.env[NAME]}`)
}

async function freshBase(): Promise<string> {
  const { output } = await run('git', ['rev-parse', 'HEAD'], 'keep').catch(() => ({ output: '' }))
  return createHash('sha256').update(new Date().toISOString()).update(output).digest().readBigUInt64LE().toString()
}
