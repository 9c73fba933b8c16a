// What older versions wrote still opens, with all that was in it. Fixtures of every released format stay here for ever; `make-fixtures.ts` makes those of
// a new one. `layout.spec.ts` reads the same files without the engine.
import test from 'ava'
import type { CanonicalStore } from '../../src/index.ts'
import { openStore, storePath } from '../support/store.ts'
import { collectionsOf, contentOf } from './content.ts'
import { fixture, unpack } from './fixture.ts'

for (const name of ['format-1/store/closed', 'format-1/store/killed']) {
  test(`${name} opens with all that was in it, is sound, and is written on`, async (t) => {
    const path = storePath(t)
    const found = fixture(name)
    unpack(found, path)
    const store = await openStore(t, {}, path)
    t.deepEqual(contentOf(store), found.content)
    const verified = await store.verify()
    t.deepEqual(verified.problems, [])
    t.true(verified.ok)
    if (name.endsWith('killed')) t.true(store.stats().recovery.frames > 0, 'its journal has a tail')
    else t.is(store.stats().levels.flushed, found.content.seq)

    await store.unseal()
    const events = found.content.events.length
    const { text, bytes } = collectionsOf(store)
    const written = await store.transact(
      (tx) => {
        tx.put(text, 'written by a later version', 'yes')
        tx.delete(bytes, Buffer.from([0xff]))
        tx.append('an event of a later version')
      },
      { durability: 'durable' },
    )
    t.is(written.firstEventId, found.content.nextEventId)
    await store.flush()
    await store.trimEvents({ before: 30 })
    await store.rotateEvents()
    const now = contentOf(store)
    t.is(now.events.length, events + 1 - (30 - found.content.oldestEventId))
    await store.close()

    const again = await openStore(t, {}, path)
    t.deepEqual(contentOf(again), now)
    t.true((await again.verify()).ok)
  })
}

test('an event of each fixture can be had by its id, its time and backwards', async (t) => {
  for (const name of ['format-1/store/closed', 'format-1/store/killed']) {
    const path = storePath(t)
    const found = fixture(name)
    unpack(found, path)
    const store: CanonicalStore = await openStore(t, {}, path)
    const { events } = found.content
    t.deepEqual(
      events.map(({ id }) => store.event(id)),
      events,
    )
    t.deepEqual([...store.events({ reverse: true })], events.toReversed())
    for (const { timestamp } of [events[0], events[30], events.at(-1)] as { timestamp: number }[]) {
      t.deepEqual(
        [...store.events({ since: timestamp })],
        events.filter((event) => event.timestamp >= timestamp),
      )
    }
  }
})
