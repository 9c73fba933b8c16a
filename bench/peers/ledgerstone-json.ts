// This package with events in JSON.
import { json, open } from 'ledgerstone'
import { sampleEvent, type Peer, type SampleEvent } from '../peer.ts'

const PER_COMMIT = 1000

/** Variants: `pages` (page by page). */
export async function openPeer(folder: string, variant: string | undefined): Promise<Peer> {
  const store = await open(folder, { events: json<SampleEvent>() })
  return {
    durability: 'flushed to the device',
    async fillEvents(count: number) {
      for (let at = 0; at < count; at += PER_COMMIT) {
        const events = Array.from({ length: Math.min(PER_COMMIT, count - at) }, (_, i) => sampleEvent(at + i))
        await store.appendAll(events, { durability: 'applied' })
      }
      await store.flush()
    },
    iterateEvents() {
      let events = 0
      if (variant === 'pages') for (const page of store.events().pages()) for (const { event } of page) events += event.type.length > 0 ? 1 : 0
      else for (const { event } of store.events()) events += event.type.length > 0 ? 1 : 0
      return events
    },
    close: () => store.close(),
  }
}
