// This package, through its public API, with byte codecs.
import { LedgerstoneError, binary, open, type WriteOptions } from 'ledgerstone'
import type { Peer } from '../peer.ts'

/**
 * Variants: `never` (no flush on the calling thread), `pages` (events page by page), `keys` (a range without values), `applied` (a commit counts when
 * it is applied) and `apply` (the same for events, without a promise for each).
 */
export async function openPeer(folder: string, variant: string | undefined): Promise<Peer> {
  const store = await open(folder, { events: binary(), inlineFlush: variant === 'never' ? 'never' : 'auto' })
  const records = store.collection('records', { key: binary(), value: binary() })
  const options: WriteOptions = variant === 'applied' ? { durability: 'applied' } : {}
  const appendLater = (events: readonly Buffer[]): unknown => store.appendAll(events, { durability: 'applied' })
  const appendDurably = (events: readonly Buffer[]): unknown => store.appendAll(events)
  const applyEvents = (events: readonly Buffer[]): unknown => {
    try {
      return store.apply((tx) => tx.appendAll(events))
    } catch (error) {
      if (!(error instanceof LedgerstoneError) || error.code !== 'ERR_BACKPRESSURE') throw error
      return appendLater(events) // it is let in when there is room
    }
  }
  return {
    durability: variant === 'applied' || variant === 'apply' ? 'applied' : 'flushed to the device',
    commit: (key: Buffer, value: Buffer, event: Buffer) =>
      store.transact((tx) => {
        tx.put(records, key, value)
        tx.append(event)
      }, options),
    putMany: (keys: readonly Buffer[], value: Buffer) =>
      store.transact((tx) => {
        for (const key of keys) tx.put(records, key, value)
      }),
    appendEvents: variant === 'apply' ? applyEvents : variant === 'applied' ? appendLater : appendDurably,
    drain: (level) => (level === 'flushed' ? store.flush() : store.appendAll([Buffer.alloc(1)], { durability: 'written' })),
    async fill(keys: readonly Buffer[], value: Buffer) {
      for (let at = 0; at < keys.length; at += 1000) {
        await store.transact((tx) => keys.slice(at, at + 1000).forEach((key) => tx.put(records, key, value)), { durability: 'applied' })
      }
      await store.flush()
    },
    async fillEvents(count: number, event: Buffer) {
      for (let at = 0; at < count; at += 1000) {
        await store.appendAll(
          Array.from({ length: Math.min(1000, count - at) }, () => event),
          { durability: 'applied' },
        )
      }
      await store.flush()
    },
    get: (key: Buffer) => records.get(key)?.length ?? 0,
    getMany(keys: readonly Buffer[]) {
      let bytes = 0
      for (const value of records.getMany(keys)) bytes += value?.length ?? 0
      return bytes
    },
    has: (key: Buffer) => records.has(key),
    range() {
      let entries = 0
      if (variant === 'keys') {
        for (const key of records.range().keys()) entries += key.length > 0 ? 1 : 0
        return entries
      }
      for (const [key, value] of records.range()) entries += key.length + value.length > 0 ? 1 : 0
      return entries
    },
    iterateEvents() {
      let events = 0
      if (variant === 'pages') for (const page of store.events().pages()) for (const { event } of page) events += event.length > 0 ? 1 : 0
      else for (const { event } of store.events()) events += event.length > 0 ? 1 : 0
      return events
    },
    event: (id: number) => store.event(id)?.event.length ?? 0,
    flushes: () => store.stats().journal.flushes,
    close: () => store.close(),
  }
}
