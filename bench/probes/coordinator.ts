// What the write coordinator costs besides the user's delta and flusher, which do nothing here: writes that are not awaited, awaited, and waited for; views; waits
// for a level that is reached already.
import { listDelta, type ListDeltaTypes, WriteCoordinator } from 'ledgerstone/coordinator'
import type { Figures, Probe } from '../child.ts'

interface Numbers extends ListDeltaTypes<number> {
  Snapshot: undefined
}

const WRITES = 3_000_000
const WRITES_WHEN_QUICK = 200_000
const QUICK_RECORDS = 100_000
const AT_ONCE = 256

export const probe: Probe = {
  title: 'the write coordinator for users, with a delta and a flusher that do nothing, per second',
  async run(_, size) {
    const count = size.records < QUICK_RECORDS ? WRITES_WHEN_QUICK : WRITES
    const figures: Record<string, Figures[string]> = {}
    for (const [what, work] of Object.entries(WORK)) {
      const coordinator = new WriteCoordinator<Numbers>({
        init: listDelta({ sizeOf: () => 8 }),
        context: undefined,
        snapshot: undefined,
        flush: { writes: 10_000 },
        flusher: { flushDelta: async () => undefined, flushStorage: async () => {} },
      })
      await work(coordinator, count / 10)
      const startedMs = performance.now()
      const done = await work(coordinator, count)
      figures[what] = (done * 1000) / (performance.now() - startedMs)
      await coordinator.close()
    }
    return figures
  },
}

type Work = (coordinator: WriteCoordinator<Numbers>, count: number) => Promise<number>

const WORK: Record<string, Work> = {
  async 'tryWrite, in turns of 10,000'(coordinator, count) {
    for (let n = 0; n < count; n++) {
      coordinator.tryWrite(n)
      if (n % 10_000 === 9_999) await coordinator.flush()
    }
    return count
  },
  async 'write, one awaited in 1,000'(coordinator, count) {
    for (let n = 0; n < count; n++) {
      if (n % 1000 === 0) await coordinator.write(n)
      else void coordinator.write(n)
    }
    return count
  },
  async 'write, each awaited'(coordinator, count) {
    for (let n = 0; n < count; n++) await coordinator.write(n)
    return count
  },
  async 'write and wait for written, one after another'(coordinator, count) {
    const fewer = count / 10
    for (let n = 0; n < fewer; n++) await (await coordinator.write(n)).wait('written')
    return fewer
  },
  async 'write and wait for written, 256 at once'(coordinator, count) {
    for (let n = 0; n < count; n += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, async () => (await coordinator.write(n)).wait('written')))
    return count
  },
  async 'tryWrite and view'(coordinator, count) {
    let seen = 0
    for (let n = 0; n < count; n++) {
      coordinator.tryWrite(n)
      seen += coordinator.view().epochs.applied
      if (n % 10_000 === 9_999) await coordinator.flush()
    }
    return seen > 0 ? count : 0
  },
  async 'view, of a write and two frozen deltas'(coordinator, count) {
    for (let n = 0; n <= 20_000; n++) coordinator.tryWrite(n)
    let seen = 0
    for (let n = 0; n < count; n++) seen += coordinator.view().frozen.length
    await coordinator.flush()
    return seen === 2 * count ? count : 0
  },
  async 'wait for a level that is reached'(coordinator, count) {
    const handle = coordinator.tryWrite(1)
    await coordinator.flush()
    for (let n = 0; n < count; n++) await handle.wait('written')
    return count
  },
}
