//! The commit. Everything that can fail comes first (I3). Then, under the short commit lock, numbers are assigned, the frame
//! joins the journal's group and the active delta, and the applied mark rises. Nothing here waits for a device unless a journal
//! file must be prepared.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use ledgerstone_format::sealed_record::put_text;
use ledgerstone_journal::{FrameBuilder, FrameKind, OpKind, Position, Stamp};
use ledgerstone_write_coordinator::{Crowding, Delta as _, Full};

use super::{Owner, Record, RecordKind, Summary, events, gate::Rank, ops, summarize};
use crate::{
    CollectionRef, Error, Store,
    catalog::{CatalogEntry, MAX_COLLECTION_ID, STATE_COLLECTION},
    delta::{Expected, Inserted, StoreDelta},
    error::{Result, WaitsFor},
};

/// How long a writer waits for another thread's transaction, or for room.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// The largest safe integer of JavaScript.
const MAX_ID: u64 = (1 << 53) - 1;
/// The name under which the codec of the events is stored.
pub(crate) const EVENT_CODEC_KEY: &[u8] = b"event-codec";

/// How a commit gets the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateEntry {
    /// It takes the gate itself: nothing was read.
    Blind,
    /// Its owner has held the gate since [`Store::begin`].
    Held,
}

/// What to do when too much is pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stall {
    /// Enter all the same: the caller has checked.
    No,
    /// Wait for room, at most 5 s, then fail with `ERR_BACKPRESSURE`.
    Yes,
}

/// The result of a commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommitInfo {
    /// Its number; for an empty commit the newest applied one.
    pub seq: u64,
    /// Milliseconds since the epoch, never going back.
    pub timestamp_ms: u64,
    /// Id of its first event.
    pub first_event_id: Option<u64>,
    /// How many events it has.
    pub events_written: u32,
    /// Distinct keys whose last operation was a put.
    pub keys_written: u32,
    /// Distinct keys whose last operation was a deletion.
    pub keys_deleted: u32,
    /// Too much is pending: the next transaction should wait.
    pub crowded: bool,
}

/// What the next commit continues. Guarded by the commit lock.
#[derive(Debug)]
pub(crate) struct CommitState {
    pub(crate) last_seq: u64,
    pub(crate) last_timestamp_ms: u64,
    pub(crate) next_event_id: u64,
    /// The first event that no trim has dropped.
    pub(crate) oldest_event_id: u64,
    /// The newest event when the store was sealed; `None` while it is not.
    pub(crate) sealed_event_id: Option<u64>,
    /// The place after the last frame.
    pub(crate) position: Option<Position>,
    pub(crate) active: Arc<StoreDelta>,
}

/// A frame that has its number and is in the journal and the delta, but that readers do not see yet.
pub(super) struct Placed {
    pub(super) seq: u64,
    timestamp_ms: u64,
    first_event_id: u64,
    inserted: Inserted,
    /// The delta was empty before.
    first: bool,
}

/// Collections to which a write set is the first to write.
struct Creations<'a> {
    first_id: u32,
    made: Vec<&'a CollectionRef>,
}

impl<'a> Creations<'a> {
    fn id_of(&mut self, store: &Store, collection: &'a CollectionRef, make: bool) -> Result<Option<u32>> {
        if let Some(id) = collection.id_now(&store.catalog)? {
            return Ok(Some(id));
        }
        let known = self.made.iter().position(|made| made.name == collection.name);
        let index = match known {
            Some(index) => {
                self.entry(index, 0).check_codecs(&collection.key_codec, &collection.value_codec)?;
                index
            }
            None if make && collection.key_codec.is_empty() => {
                let message = format!("a collection is made with its codecs: name={}", collection.name);
                return Err(Error::InvalidArgument { argument: "codecs", message });
            }
            None if make => {
                self.made.push(collection);
                self.made.len() - 1
            }
            None => return Ok(None),
        };
        Ok(u32::try_from(index).ok().and_then(|index| self.first_id.checked_add(index)))
    }

    fn entry(&self, index: usize, created_seq: u64) -> CatalogEntry {
        let made = self.made.get(index);
        let text = |part: fn(&CollectionRef) -> &String| made.map(|made| part(made).clone()).unwrap_or_default();
        CatalogEntry {
            id: self.first_id.saturating_add(u32::try_from(index).unwrap_or(u32::MAX)),
            name: text(|made| &made.name),
            key_codec: text(|made| &made.key_codec),
            value_codec: text(|made| &made.value_codec),
            created_seq,
            dropped_seq: 0,
        }
    }
}

impl Store {
    /// Takes the gate for `owner`, which then reads, and commits with [`GateEntry::Held`] or aborts. Returns the next event's id.
    pub fn begin(&self, owner: Owner, stall: Stall) -> Result<u64> {
        if self.gate.is_held_by(owner) {
            return Err(Error::TransactionOpen);
        }
        self.check_writable()?;
        if stall == Stall::Yes {
            self.wait_for_room()?;
        }
        self.enter(owner, Rank::Writer)?;
        if let Err(error) = self.check_writable() {
            self.gate.release(owner);
            return Err(error);
        }
        Ok(self.next_event_id())
    }

    /// Releases the gate without a commit. Harmless when `owner` does not hold it.
    pub fn abort(&self, owner: Owner) {
        self.gate.release(owner);
    }

    /// Applies a whole write set, or fails and leaves no trace. Releases the gate in either case.
    pub fn commit(
        &self,
        owner: Owner,
        entry: GateEntry,
        write_set: &[u8],
        collections: &[Arc<CollectionRef>],
    ) -> Result<CommitInfo> {
        match entry {
            GateEntry::Blind => {
                self.check_writable()?;
                self.enter(owner, Rank::Writer)?;
            }
            GateEntry::Held if self.gate.is_held_by(owner) => {}
            GateEntry::Held => return Err(Error::TransactionFinished),
        }
        let committing = AssertUnwindSafe(|| self.commit_inside(write_set, collections));
        let outcome = catch_unwind(committing)
            .unwrap_or_else(|_| Err(self.stop_writing(ledgerstone_journal::Error::Internal("a commit panicked"))));
        self.gate.release(owner);
        if outcome.is_ok() {
            self.journal.after_append();
            self.tell_applied();
        }
        outcome
    }

    fn check_writable(&self) -> Result<()> {
        self.check_whole()?;
        match self.sealed() {
            Some(event_id) => Err(Error::Sealed { event_id }),
            None => Ok(()),
        }
    }

    fn wait_for_room(&self) -> Result<()> {
        let exempt = || self.readers.held_here();
        if self.crowding() == Crowding::None || self.coordinator.wait_for_room(PATIENCE, &exempt) {
            return Ok(());
        }
        self.check_writable()?;
        Err(self.no_room())
    }

    /// Why no transaction may enter at this moment: the error for callers that have waited long enough.
    pub fn no_room(&self) -> Error {
        match self.coordinator.blocked_by() {
            Some(Error::Backpressure { waits_for, .. }) => self.backpressure(waits_for),
            Some(error) => error,
            None if self.coordinator.full() == Some(Full::Pinned) => self.backpressure(WaitsFor::Readers),
            None => self.backpressure(WaitsFor::Flush),
        }
    }

    fn backpressure(&self, waits_for: WaitsFor) -> Error {
        let pending_bytes = self.coordinator.pending_bytes().saturating_add(self.coordinator.pinned_bytes());
        let oldest = self.readers.open().1.map(|since| self.clock.monotonic().saturating_sub(since));
        let oldest_reader_ms = oldest.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        Error::Backpressure { pending_bytes, oldest_reader_ms, waits_for }
    }

    fn commit_inside(&self, write_set: &[u8], collections: &[Arc<CollectionRef>]) -> Result<CommitInfo> {
        self.check_writable()?;
        let summary = summarize(write_set, collections.len(), &self.settings.limits)?;
        if summary.records == 0 {
            return Ok(self.empty_commit());
        }
        let mut creations = Creations { first_id: self.catalog.with(|catalog| catalog.next_id), made: Vec::new() };
        let mut expected = Expected::default();
        let (builder, dropped) = match self.drop_of(write_set, &summary, collections)? {
            Some(id) => {
                let frame_bytes = FrameBuilder::frame_bytes(0, 0, 1, 0);
                let mut builder = self.journal.frame(FrameKind::Commit, frame_bytes, std::iter::empty())?;
                builder.op(OpKind::DropCollection, id, &[], &[])?;
                (builder, Some(id))
            }
            None => (self.build(write_set, &summary, collections, &mut creations, &mut expected)?, None),
        };
        self.forget_clean_mark()?;
        self.journal.reserve_and_leave_room(builder.encoded_len()).map_err(|error| match error {
            ledgerstone_journal::Error::NotInTime => self.backpressure(WaitsFor::Journal),
            other => other.into(),
        })?;
        self.make_visible(builder, &summary, &creations, dropped, &expected)
    }

    fn empty_commit(&self) -> CommitInfo {
        let state = self.commit.lock();
        CommitInfo {
            seq: state.last_seq,
            timestamp_ms: state.last_timestamp_ms.max(self.identity.created_at_ms),
            crowded: self.crowding() != Crowding::None,
            ..CommitInfo::default()
        }
    }

    /// The collection that a write set drops; such a write set contains nothing else.
    fn drop_of(&self, write_set: &[u8], summary: &Summary, collections: &[Arc<CollectionRef>]) -> Result<Option<u32>> {
        if !summary.drops {
            return Ok(None);
        }
        let Some(record) = ops(write_set, summary).find(|record| record.kind == RecordKind::DropCollection) else {
            return Ok(None);
        };
        let name = collection_of(collections, &record).map(|collection| collection.name.clone()).unwrap_or_default();
        if summary.records != 1 || name == STATE_COLLECTION {
            let message = format!("the collection cannot be dropped: name={name}");
            return Err(Error::InvalidArgument { argument: "name", message });
        }
        match self.catalog.with(|catalog| catalog.living(&name).map(|entry| entry.id)) {
            Some(id) => Ok(Some(id)),
            None => Err(Error::CollectionNotFound { name }),
        }
    }

    fn build<'a>(
        &self,
        write_set: &'a [u8],
        summary: &Summary,
        collections: &'a [Arc<CollectionRef>],
        creations: &mut Creations<'a>,
        expected: &mut Expected,
    ) -> Result<FrameBuilder> {
        let mut made = 0;
        for record in ops(write_set, summary) {
            let Some(collection) = collection_of(collections, &record) else { continue };
            if let Some(id) = creations.id_of(self, collection, record.kind == RecordKind::Put)? {
                made += 1;
                expected.note(id, record.key);
            }
        }
        if made > 0 {
            expected.places_in(&self.commit.lock().active);
        }
        let names_event_codec = summary.events > 0 && self.stored_event_codec.get().is_none();
        let next_event_id = self.next_event_id().saturating_add(u64::from(summary.events));
        let last_collection_id = u64::from(creations.first_id) + (creations.made.len() as u64).saturating_sub(1);
        let numbers = [
            ("eventId", next_event_id, MAX_ID),
            ("seq", self.applied_seq() + 1, MAX_ID),
            ("collectionId", last_collection_id, u64::from(MAX_COLLECTION_ID) + u64::from(creations.made.is_empty())),
        ];
        if let Some((limit, size, max)) = numbers.into_iter().find(|(_, size, max)| size > max) {
            return Err(Error::Limit { what: "there are no numbers left", limit, size, max });
        }
        // The size of creations and of the codec's name is a guess: it only decides an allocation.
        let extra = creations.made.len() + usize::from(names_event_codec);
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let frame_bytes = FrameBuilder::frame_bytes(
            size(u64::from(summary.events)),
            size(summary.event_bytes),
            made + extra,
            size(summary.op_bytes).saturating_add(extra * 64),
        );
        let mut builder = self.journal.frame(FrameKind::Commit, frame_bytes, events(write_set, summary))?;
        for index in 0..creations.made.len() {
            let entry = creations.entry(index, 0);
            let mut codecs = Vec::new();
            put_text(&mut codecs, &entry.key_codec);
            put_text(&mut codecs, &entry.value_codec);
            builder.op(OpKind::CreateCollection, entry.id, entry.name.as_bytes(), &codecs)?;
        }
        if names_event_codec {
            builder.op(OpKind::SetMeta, 0, EVENT_CODEC_KEY, self.event_codec.as_bytes())?;
        }
        for record in ops(write_set, summary) {
            let Some(collection) = collection_of(collections, &record) else { continue };
            let Some(id) = creations.id_of(self, collection, false)? else { continue };
            let kind = if record.kind == RecordKind::Put { OpKind::Put } else { OpKind::Delete };
            builder.op(kind, id, record.key, record.value)?;
        }
        Ok(builder)
    }

    /// Called under the commit lock. Only a defect can make the first step fail, and then nothing was appended.
    fn make_visible(
        &self,
        builder: FrameBuilder,
        summary: &Summary,
        creations: &Creations<'_>,
        dropped: Option<u32>,
        expected: &Expected,
    ) -> Result<CommitInfo> {
        let mut state = self.commit.lock();
        expected.entries_in(&state.active);
        let placed = self.place(&mut state, builder, summary.events)?;
        let seq = placed.seq;
        if dropped.is_some() || !creations.made.is_empty() {
            self.catalog.change(|catalog| {
                for index in 0..creations.made.len() {
                    catalog.create(creations.entry(index, seq));
                }
                if let Some(id) = dropped {
                    catalog.drop_at(id, seq);
                }
            });
        }
        if summary.events > 0 {
            self.stored_event_codec.get_or_init(|| self.event_codec.clone());
        }
        self.publish(&state, &placed);
        Ok(CommitInfo {
            seq,
            timestamp_ms: placed.timestamp_ms,
            first_event_id: (summary.events > 0).then_some(placed.first_event_id),
            events_written: summary.events,
            keys_written: placed.inserted.keys_written,
            keys_deleted: placed.inserted.keys_deleted,
            crowded: self.crowding() != Crowding::None,
        })
    }

    /// Gives a frame its number and its place in the journal and the delta (I3). Called under the commit lock.
    pub(super) fn place(&self, state: &mut CommitState, builder: FrameBuilder, events: u32) -> Result<Placed> {
        let seq = state.last_seq + 1;
        let timestamp_ms = state.last_timestamp_ms.max(self.clock.wall_ms());
        let first_event_id = state.next_event_id;
        let appended = self.journal.append(builder, Stamp { seq, first_event_id, timestamp_ms })?;
        let first = state.active.last_seq() == 0;
        let inserted = state.active.insert(&appended.frame);
        state.last_seq = seq;
        state.last_timestamp_ms = timestamp_ms;
        state.next_event_id += u64::from(events);
        state.position = Some(appended.position);
        Ok(Placed { seq, timestamp_ms, first_event_id, inserted, first })
    }

    /// Publishes the placed frame to readers.
    pub(super) fn publish(&self, state: &CommitState, placed: &Placed) {
        self.next_event_id.store(state.next_event_id, Ordering::Release);
        self.applied.store(placed.seq, Ordering::Release);
        self.coordinator.note_write(placed.inserted.bytes, placed.first);
    }
}

fn collection_of<'a>(collections: &'a [Arc<CollectionRef>], record: &Record<'_>) -> Option<&'a CollectionRef> {
    usize::try_from(record.slot).ok().and_then(|slot| collections.get(slot)).map(|collection| &**collection)
}
