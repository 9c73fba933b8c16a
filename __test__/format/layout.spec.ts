// docs/FORMATS.md, taken at its word: each file of the fixtures is read field by field without the engine, every checksum is computed anew, and what the
// files say together must be the content that was read from the store when it was made.
import test from 'ava'
import type { Json } from '../../src/index.ts'
import { Bytes, u64 } from './bytes.ts'
import type { Content } from './content.ts'
import { fixture, type Fixture } from './fixture.ts'
import { type Journal, type JournalFrame, type Operation, readJournal } from './journal.ts'
import { readLmdb } from './lmdb.ts'
import { readSegment, type Segment } from './segment.ts'

const closed = fixture('format-1/store/closed')
const killed = fixture('format-1/store/killed')
const PAGE = 4096
/** Read once: their checksums take a while. */
const journals = new Map<Fixture, Journal>()

for (const store of [closed, killed]) {
  test(`${store.name}: nothing but the documented files`, (t) => {
    const documented = /^(IDENTITY|LOCK|LOCK\.owner|CLEAN|journal\/journal-\d{20}\.wal|events\/events-\d{20}\.log|events\/horizon|state\/data\.mdb)$/
    t.deepEqual(
      [...store.files.keys()].filter((name) => !documented.test(name)),
      [],
    )
    t.is(store.files.has('CLEAN'), store === closed)
    t.is(fileOf(store, 'LOCK').length, 0)
    t.regex(fileOf(store, 'LOCK.owner').toString(), /^\d+\n\d{13}\n([\d.]+\n\d+\n)?$/)
  })

  test(`${store.name}: IDENTITY and CLEAN`, (t) => {
    const { content } = store
    const identity = sealedRecord(fileOf(store, 'IDENTITY'), 'LGST-STO')
    t.is(uuid(identity.take(16)), content.storeId)
    t.is(identity.u64(), content.createdAt)
    t.true(isAtEnd(identity))
    if (store !== closed) return
    const clean = sealedRecord(fileOf(store, 'CLEAN'), 'LGST-CLN')
    t.deepEqual([uuid(clean.take(16)), clean.u64(), clean.u64(), isAtEnd(clean)], [content.storeId, content.seq, content.nextEventId, true])
  })

  test(`${store.name}: the journal's files, headers and frames`, (t) => {
    const { content } = store
    const { headers, frames, spares } = journalOf(store)
    t.true(headers.length >= (store === killed ? 2 : 1) && spares.length > 0)
    for (const { storeId } of headers) t.is(uuid(storeId), content.storeId)
    t.is(new Set(headers.map(({ salt }) => salt.toString('hex'))).size, headers.length)
    t.is(frames.at(-1)?.seq, content.seq)
    t.is(frames.at(-1)?.timestamp, content.updatedAt)
    frames.forEach((frame, i) => {
      const next = frames[i + 1]
      t.true(frame.durableUpto < frame.seq)
      if (next === undefined) return
      t.deepEqual([next.seq, next.firstEventId], [frame.seq + 1, frame.firstEventId + frame.events.length])
      t.true(next.timestamp >= frame.timestamp && next.durableUpto >= frame.durableUpto)
      if (next.file !== frame.file) t.is(next.offset, PAGE)
    })
    for (const { kind, events, operations } of frames) {
      if (kind !== 'commit') t.is(events.length, 0, kind)
      if (kind === 'seal' || kind === 'unseal') t.deepEqual(operations, [])
    }
  })

  test(`${store.name}: the segments, their frames, indexes and footers`, (t) => {
    const segments = segmentsOf(store)
    t.deepEqual(
      segments.map(({ footer }) => footer !== undefined),
      [true, true, false],
    )
    t.deepEqual(
      segments.map(({ frames }) => [...new Set(frames.map(({ flags }) => flags))]),
      [[0], [1], store === closed ? [2, 0] : [2]],
      'a single small event stays as it is',
    )
    for (const [i, { storeId, firstId, frames, footer }] of segments.entries()) {
      t.is(uuid(storeId), store.content.storeId)
      t.true(frames.every((frame) => frame.offset % 8 === 0 && frame.flushedUpto <= frame.firstId))
      // Each frame of the fixtures was flushed before the next came, so each begins on a new page.
      t.true(frames.every(({ offset }) => offset % PAGE === 0))
      frames.forEach((frame) => t.is(frame.flushedUpto, frame.firstId))
      if (footer === undefined) continue
      const last = frames.at(-1)?.events?.at(-1)
      const { index, indexOffset, framesEnd, ...ends } = footer
      t.deepEqual(ends, {
        firstId,
        nextId: segments[i + 1]?.firstId as number,
        firstTimestamp: frames[0]?.timestamp as number,
        lastTimestamp: last?.timestamp as number,
        frames: frames.length,
      })
      t.deepEqual([framesEnd, indexOffset], [frames.at(-1)?.end, Math.ceil(framesEnd / PAGE) * PAGE])
      t.deepEqual(index, indexedOf(frames))
    }
    t.true((segments[0]?.footer?.index.length as number) < (segments[0]?.frames.length as number), 'small frames are left out')
  })

  test(`${store.name}: the log's events are those that were read, with the journal's behind them`, (t) => {
    const { content } = store
    const events = new Map(
      segmentsOf(store)
        .flatMap(({ frames }) => frames.flatMap((frame) => frame.events ?? []))
        .map((event) => [event.id, event]),
    )
    for (const { firstEventId, timestamp, events: payloads } of journalOf(store).frames) {
      payloads.forEach((payload, i) => {
        const inLog = events.get(firstEventId + i)
        if (inLog === undefined) events.set(firstEventId + i, { id: firstEventId + i, timestamp, payload })
        else t.deepEqual([inLog.timestamp, inLog.payload.toString()], [timestamp, payload.toString()])
      })
    }
    const found = [...events.values()].filter(({ id }) => id >= content.oldestEventId).toSorted((a, b) => a.id - b.id)
    const expected = content.events.filter(({ id }) => events.has(id))
    t.deepEqual(
      found.map(({ id, timestamp, payload }) => ({ id, timestamp, event: JSON.parse(payload.toString()) as Json })),
      expected,
    )
    const unread = segmentsOf(store).flatMap(({ frames }) => frames.filter((frame) => frame.events === undefined))
    if (unread.length > 0) t.log('this Node has no Zstandard: the bodies of those frames were not taken apart')
    else t.is(found.length, content.events.length)
  })

  test(`${store.name}: the horizon`, (t) => {
    const bytes = fileOf(store, 'events/horizon')
    const fields = new Bytes(bytes)
    fields.magic('LGST-EVH')
    t.is(fields.u16(), 1)
    fields.zeros(2)
    t.is(uuid(fields.take(16)), store.content.storeId)
    const [horizon, unlinkable, nextId, timestamp] = [fields.u64(), fields.u64(), fields.u64(), fields.u64()]
    fields.crc(bytes.subarray(0, 60))
    t.true(isAtEnd(fields))
    // Trimmed before 14 when there were 28 events, 11 of them in a segment that went.
    const lastOfThen = readSegment(fileOf(store, `events/events-${'11'.padStart(20, '0')}.log`))
      .frames.at(-1)
      ?.events?.at(-1)
    t.deepEqual([horizon, unlinkable, nextId, timestamp], [14, 14, 29, lastOfThen?.timestamp as number])
    t.is(segmentsOf(store)[0]?.firstId, 11)
  })

  test(`${store.name}: LMDB's databases, and with the journal's tail the whole state`, (t) => {
    const { content } = store
    const databases = readLmdb(fileOf(store, 'state/data.mdb'))
    t.deepEqual([...databases.keys()], ['catalog', 'meta', 'state'])
    const [[metaKey, metaValue]] = databases.get('meta') as [[Buffer, Buffer]]
    t.is(metaKey.toString(), 'meta')
    const meta = metaOf(valueOf(metaKey, metaValue, 0).bytes)
    const { frames } = journalOf(store)
    const at = frames.find(({ seq }) => seq === meta.appliedSeq) as JournalFrame
    t.deepEqual(meta, {
      storeId: content.storeId,
      appliedSeq: store === closed ? content.seq : at.seq,
      file: at.file,
      offset: at.offset + at.length,
      nextEventId: at.firstEventId + at.events.length,
      oldestEventId: 14,
      sealed: store === closed ? content.nextEventId : 0,
      lastTimestamp: at.timestamp,
      createdAt: content.createdAt,
      updatedAt: at.timestamp,
      epoch: meta.epoch,
      crc: at.crc,
      nextCollectionId: 5,
      schemaVersion: 0,
      eventCodec: 'json',
    })
    t.true(meta.epoch > 0)

    const model = new Model()
    for (const [key, value] of databases.get('catalog') ?? []) model.catalogEntry(key, valueOf(key, value, 0).bytes)
    for (const [key, value] of databases.get('state') ?? []) {
      const { seq, bytes } = valueOf(key, value)
      t.true(seq > 0 && seq <= meta.appliedSeq)
      model.put(key.readUInt32BE(), key.subarray(4), bytes)
    }
    let [oldest, sealed] = [meta.oldestEventId, meta.sealed]
    for (const frame of frames.filter(({ seq }) => seq > meta.appliedSeq)) {
      if (frame.kind === 'seal') sealed = frame.firstEventId
      if (frame.kind === 'unseal') sealed = 0
      if (frame.kind === 'trim') oldest = oldestEventIdOf(frame.operations)
      for (const operation of frame.operations) model.apply(operation)
    }
    t.deepEqual(model.content(), content.collections)
    t.deepEqual([oldest, sealed === 0 ? null : sealed - 1], [content.oldestEventId, content.sealedEventId])
  })
}

test('frames of all kinds with their operations, and two that were written as one group', (t) => {
  const { frames } = journalOf(killed)
  const tail = frames.slice(-11)
  t.deepEqual(
    tail.map(({ kind }) => kind),
    ['commit', 'commit', 'commit', 'seal', 'unseal', 'commit', 'commit', 'commit', 'trim', 'commit', 'commit'],
  )
  const [first, second, third] = tail as [JournalFrame, JournalFrame, JournalFrame]
  t.deepEqual([second.offset, third.offset], [first.offset + first.length, second.offset + second.length], 'one group')
  t.is(second.durableUpto, first.durableUpto)
  t.is(oldestEventIdOf((tail[8] as JournalFrame).operations), 16)
  t.deepEqual(
    (tail[9] as JournalFrame).operations.map(({ kind, collection, key }) => [kind, collection, key.toString()]),
    [
      ['create collection', 5, 'later'],
      ['delete', 2, 'large'],
      ['put', 5, 'made in the tail'],
      ['delete', 3, '\0\0'],
    ],
  )
  t.deepEqual((tail[10] as JournalFrame).operations, [{ kind: 'drop collection', collection: 4, key: Buffer.alloc(0), value: Buffer.alloc(0) }])
  const codecs = new Bytes((tail[9] as JournalFrame).operations[0]?.value as Buffer)
  t.deepEqual([codecs.text(), codecs.text(), isAtEnd(codecs)], ['utf8', 'json', true])
})

interface Meta {
  storeId: string
  appliedSeq: number
  file: number
  offset: number
  nextEventId: number
  oldestEventId: number
  sealed: number
  lastTimestamp: number
  createdAt: number
  updatedAt: number
  epoch: number
  crc: number
  nextCollectionId: number
  schemaVersion: number
  eventCodec: string
}

function metaOf(record: Buffer): Meta {
  const fields = sealedRecord(record, 'LGST-MET')
  const meta = {
    storeId: uuid(fields.take(16)),
    appliedSeq: fields.u64(),
    file: fields.u64(),
    offset: fields.u64(),
    nextEventId: fields.u64(),
    oldestEventId: fields.u64(),
    sealed: fields.u64(),
    lastTimestamp: fields.u64(),
    createdAt: fields.u64(),
    updatedAt: fields.u64(),
    epoch: fields.u64(),
    crc: fields.u32(),
    nextCollectionId: fields.u32(),
    schemaVersion: fields.u32(),
    eventCodec: fields.text(),
  }
  if (!isAtEnd(fields)) throw new Error('there is more in the meta record')
  return meta
}

/** Collections and their entries, changed as the journal's operations say. */
class Model {
  readonly #collections = new Map<number, { name: string; valueCodec: string; entries: Map<string, Buffer> }>([
    [1, { name: 'state', valueCodec: 'json', entries: new Map() }],
  ])

  catalogEntry(key: Buffer, value: Buffer): void {
    const fields = new Bytes(value)
    const [created, dropped, name, , valueCodec] = [fields.u64(), fields.u64(), fields.text(), fields.text(), fields.text()]
    if (created === 0 || !isAtEnd(fields)) throw new Error('a catalogue entry')
    if (dropped === 0) this.#collections.set(key.readUInt32BE(), { name, valueCodec, entries: new Map() })
  }

  put(collection: number, key: Buffer, value: Buffer): void {
    this.#collections.get(collection)?.entries.set(key.toString('latin1'), value)
  }

  apply({ kind, collection, key, value }: Operation): void {
    if (kind === 'put') this.put(collection, key, value)
    else if (kind === 'delete') this.#collections.get(collection)?.entries.delete(key.toString('latin1'))
    else if (kind === 'drop collection') this.#collections.delete(collection)
    else if (kind === 'create collection') {
      const codecs = new Bytes(value)
      codecs.text()
      this.#collections.set(collection, { name: key.toString(), valueCodec: codecs.text(), entries: new Map() })
    }
  }

  content(): Content['collections'] {
    return Object.fromEntries(
      [...this.#collections.values()].map(({ name, valueCodec, entries }) => {
        const keys = [...entries.keys()].toSorted((a, b) => Buffer.compare(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1')))
        return [
          name,
          keys.map((key) => {
            const [bytes, value] = [Buffer.from(key, 'latin1'), entries.get(key) as Buffer]
            if (valueCodec === 'binary') return [bytes.toString('base64'), value.toString('base64')] as const
            return [bytes.toString(), valueCodec === 'json' ? (JSON.parse(value.toString()) as Json) : value.toString()] as const
          }),
        ]
      }),
    )
  }
}

/** Which frames the rule gives an entry in the index. */
function indexedOf(frames: Segment['frames']): [id: number, offset: number, timestamp: number][] {
  const index: [number, number, number][] = []
  let [lastEntry, isBehindLarge] = [-Infinity, false]
  for (const { offset, end, firstId, timestamp } of frames) {
    const isLarge = end - offset >= 8192
    if (offset - lastEntry >= 8192 || isLarge || isBehindLarge) {
      index.push([firstId, offset, timestamp])
      lastEntry = offset
    }
    isBehindLarge = isLarge
  }
  return index
}

function segmentsOf({ files }: Fixture): Segment[] {
  const names = [...files.keys()].filter((name) => name.endsWith('.log')).toSorted()
  return names.map((name) => {
    const segment = readSegment(files.get(name) as Buffer)
    if (name !== `events/events-${String(segment.firstId).padStart(20, '0')}.log`) throw new Error(`${name} begins with ${segment.firstId}`)
    return segment
  })
}

/** The one operation of a trim frame. */
function oldestEventIdOf(operations: readonly Operation[]): number {
  const [{ kind, collection, key, value }] = operations as [Operation]
  if (operations.length !== 1 || kind !== 'set meta' || collection !== 0 || key.toString() !== 'oldest-event-id' || value.length !== 8) throw new Error('a trim frame')
  return new Bytes(value).u64()
}

/** The fields of a record that stands under one checksum, without that checksum. */
function sealedRecord(record: Buffer, magic: string): Bytes {
  const end = record.length - 4
  new Bytes(record, end).crc(record.subarray(0, end))
  const fields = new Bytes(record.subarray(0, end))
  fields.magic(magic)
  if (fields.u16() !== 1) throw new Error('not version 1')
  return fields
}

/** What stands under a key of LMDB: the seq of its last write and the bytes. */
function valueOf(key: Buffer, stored: Buffer, expectedSeq?: number): { seq: number; bytes: Buffer } {
  const fields = new Bytes(stored)
  const seq = fields.u64()
  if (expectedSeq !== undefined && seq !== expectedSeq) throw new Error(`seq ${seq}`)
  fields.crc(u64(seq), key, stored.subarray(12))
  return { seq, bytes: stored.subarray(12) }
}

function journalOf(store: Fixture): Journal {
  const journal = journals.get(store) ?? readJournal(store.files)
  journals.set(store, journal)
  return journal
}

function fileOf({ files }: Fixture, name: string): Buffer {
  const bytes = files.get(name)
  if (bytes === undefined) throw new Error(`no ${name}`)
  return bytes
}

function isAtEnd(fields: Bytes): boolean {
  return fields.at === fields.bytes.length
}

function uuid(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
