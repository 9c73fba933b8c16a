// A log shipper: events of a store, as they become durable, as lines of JSON in files for another system to take. How far it has come is kept in the store, and only
// when the lines are on the device. So a shipper that is cut off begins again before the cut: lines come at least once, each with its id, and none is left out.
//
//   node examples/log-shipper/main.js [--events N]
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type CanonicalStore, type EventId, open } from 'ledgerstone'
import { jsonLines, type JsonLinesSnapshot, listDelta, type ListDeltaTypes, WriteCoordinator } from 'ledgerstone/coordinator'

interface Happened {
  readonly what: string
  readonly amount: number
}
interface Line {
  readonly id: number
  readonly at: number
  readonly event: Happened
}
/** What is kept of a line is its text: made at once, counted as it is, and never to fail later. */
interface Shipped extends ListDeltaTypes<Line, string> {
  Snapshot: JsonLinesSnapshot | undefined
}

const CURSOR = 'shipped'

/** Ships up to an event. `forget` stands for a process that is killed: its lines are stored, but not that they were. */
async function ship(store: CanonicalStore<Happened>, folder: string, upTo: EventId, forget: boolean): Promise<void> {
  const coordinator = new WriteCoordinator<Shipped>({
    init: listDelta({ keep: (line: Line) => JSON.stringify(line), sizeOf: (text) => text.length }),
    context: undefined,
    snapshot: undefined,
    flusher: jsonLines<string>(folder, { name: 'events', maxBytes: 16 * 1024, encode: (text) => text }),
    flush: { bytes: 8 * 1024, intervalMs: 100 },
    maxPendingBytes: 64 * 1024,
    retry: { attempts: 100 },
  })
  const after = Number(store.state.get(CURSOR) ?? 0)
  const firstId = after + 1 // the event of epoch 1: ids have no gaps
  const keepCursor = async (): Promise<void> => {
    let kept = 0
    for await (const { epochs } of coordinator.subscribe()) {
      if (epochs.durable === kept) continue
      kept = epochs.durable
      if (!forget) await store.state.put(CURSOR, firstId + kept - 1)
    }
  }
  const keeping = keepCursor()
  for await (const { id, timestamp, event } of store.follow({ after })) {
    const handle = await coordinator.write({ id, at: timestamp, event })
    if (handle.epoch % 100 === 0) await handle.wait('durable') // so that the cursor moves
    if (id >= upTo) break
  }
  await coordinator.close()
  await keeping
}

const { values } = parseArgs({ options: { events: { type: 'string', default: '3000' } } })
const events = Number(values.events)
const home = mkdtempSync(join(tmpdir(), 'ledgerstone-shipper-'))
const folder = join(home, 'lines')
const store = await open<Happened>(join(home, 'store'))

let appended = 0
for (const forget of [false, true, false]) {
  const upTo = appended + Math.floor(events / 3)
  const shipping = ship(store, folder, upTo, forget)
  while (appended < upTo) await store.append({ what: 'sold', amount: appended++ }, { durability: appended % 10 === 0 ? 'durable' : 'applied' })
  await store.sync()
  await shipping
}
await store.close()

const files = readdirSync(folder).toSorted()
const lines = files.flatMap((file) =>
  readFileSync(join(folder, file), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line),
)
const ids = new Set(lines.map(({ id }) => id))
const isWhole = ids.size === appended && lines.every(({ id, event }) => event.amount === id - 1)
console.log(`${lines.length} lines in ${files.length} files have ${isWhole ? 'each' : 'not each'} of ${appended} events`)
console.log(`${lines.length - ids.size} lines came twice, after a run that was forgotten`)
rmSync(home, { recursive: true })
