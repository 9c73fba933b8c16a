// Run by kill.spec.ts: makes, publishes, purges and prunes until it is killed, and reports before each step what there is and what is to become of it.
//
//   changer.ts PATH SEED
import { appendFileSync } from 'node:fs'
import { FileSnapshotSet, type SnapshotInfo } from 'ledgerstone/snapshots'
import { Random } from '../support/random.ts'
import { report } from '../support/report.ts'
import { fill } from './set-folder.ts'
import type { Step } from './step.ts'

const [path, seed] = process.argv.slice(2) as [string, string]
const random = new Random(Number(seed))
const set = await FileSnapshotSet.open(path)
report('open')
for (;;) {
  const { snapshots } = set.list()
  const pendings = snapshots.filter(({ type }) => type === 'pending')
  const step = random.below(10)
  if (step < 4 || pendings.length === 0) {
    const type = step % 2 === 0 || pendings.length > 2 ? 'diff' : 'pending'
    tell({ before: of(snapshots), makes: type })
    const made = await set.createOrGetSnapshot(type, 1 + random.below(6), false)
    if (type === 'diff') appendFileSync(made.shardPaths[0] as string, 'change')
  } else if (step < 9) {
    const pending = random.pick(pendings)
    const { ordinal } = pending
    const purgeObsoleteDiffs = random.oneIn(2)
    const purgeObsoletePendings = random.oneIn(2)
    const after = snapshots.filter(
      (found) => found.ordinal >= ordinal || !((found.type === 'diff' && purgeObsoleteDiffs) || (found.type === 'pending' && purgeObsoletePendings)),
    )
    tell({ before: of(snapshots), after: of(after).map((found) => (found.startsWith(`${ordinal} `) ? found.replace('pending', 'full') : found)) })
    fill(pending)
    await set.publishCompletedSnapshot(ordinal, { purgeObsoleteDiffs, purgeObsoletePendings })
  } else {
    const fulls = snapshots.filter(({ type }) => type === 'full')
    const oldest = fulls.at(-2)?.ordinal ?? 0
    tell({ before: of(snapshots), after: of(snapshots.filter(({ type, ordinal }) => type === 'pending' || ordinal >= oldest)) })
    await set.prune({ keepFull: 2 })
  }
}

function tell(step: Step): void {
  report(JSON.stringify(step))
}

function of(snapshots: readonly SnapshotInfo[]): string[] {
  return snapshots.map(({ ordinal, type, shardPaths }) => `${ordinal} ${type} ${shardPaths.length}`)
}
