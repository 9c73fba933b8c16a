// better-sqlite3 in WAL mode, as its documentation advises, with `synchronous = FULL`: each commit is flushed. Its driver is synchronous. Statements are
// prepared once, keys are the table's own order. A larger page cache and a memory map were tried: lookups became a fifth faster, iterations and
// commits slower, so both are as they come.
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { Peer } from '../peer.ts'

/** Variants: `normal` (`synchronous = NORMAL`: commits are flushed by checkpoints only). */
export async function openPeer(folder: string, variant: string | undefined): Promise<Peer> {
  const db = new Database(join(folder, 'peer.sqlite'))
  db.pragma('journal_mode = WAL')
  db.pragma(`synchronous = ${variant === 'normal' ? 'NORMAL' : 'FULL'}`)
  db.exec('CREATE TABLE IF NOT EXISTS records (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID')
  db.exec('CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, payload BLOB)')
  const put = db.prepare('INSERT OR REPLACE INTO records VALUES (?, ?)')
  const append = db.prepare('INSERT INTO events (payload) VALUES (?)')
  const select = db.prepare<[Buffer], Buffer>('SELECT value FROM records WHERE key = ?').pluck()
  const selectEvent = db.prepare<[number], Buffer>('SELECT payload FROM events WHERE id = ?').pluck()
  const all = db.prepare<[], [Buffer, Buffer]>('SELECT key, value FROM records ORDER BY key').raw()
  const allEvents = db.prepare<[], [number, Buffer]>('SELECT id, payload FROM events ORDER BY id').raw()
  const commit = db.transaction((key: Buffer, value: Buffer, event: Buffer) => {
    put.run(key, value)
    append.run(event)
  })
  const appendEvents = db.transaction((events: readonly Buffer[]) => {
    for (const event of events) append.run(event)
  })
  return {
    durability: variant === 'normal' ? 'written' : 'flushed to the device',
    commit,
    appendEvents,
    drain: (level) => (level === 'flushed' ? db.pragma('wal_checkpoint(FULL)') : undefined),
    fill: db.transaction((keys: readonly Buffer[], value: Buffer) => {
      for (const key of keys) put.run(key, value)
    }),
    fillEvents: db.transaction((count: number, event: Buffer) => {
      for (let i = 0; i < count; i++) append.run(event)
    }),
    get: (key: Buffer) => select.get(key)?.length ?? 0,
    range() {
      let entries = 0
      for (const [key, value] of all.iterate()) entries += key.length + value.length > 0 ? 1 : 0
      return entries
    },
    iterateEvents() {
      let events = 0
      for (const [, payload] of allEvents.iterate()) events += payload.length > 0 ? 1 : 0
      return events
    },
    event: (id: number) => selectEvent.get(id)?.length ?? 0,
    close: () => db.close(),
  }
}
