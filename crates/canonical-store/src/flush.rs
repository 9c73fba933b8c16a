//! A flush of the store, in the order that keeps I2: freeze, journal durable to the end of the frozen delta, its events in the
//! log, its state in the checkpoint with the meta record last, then the view, then recycling.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use ledgerstone_event_log::EventIn;
use ledgerstone_format::{PlantedFault, planted};
use ledgerstone_write_coordinator::{Delta as _, FlushFailure, Flusher};

use crate::{
    Error, Store,
    catalog::DropOrder,
    checkpoint::{Batch, Part},
    delta::{FrozenAt, StoreDelta},
    error::Result,
    meta::MetaRecord,
    stats::FlushReport,
};

/// The stages of a flush, for tests that stop it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushStage {
    /// An attempt begins. Retention runs first, and may find changes of an earlier attempt.
    Begun,
    /// The delta is frozen; nothing is written.
    Frozen,
    /// Its events are in the log, durably.
    EventsWritten,
    /// A part of its state is in the checkpoint.
    StateWritten(Part),
    /// The view without it is published.
    Published,
}

/// Called at each stage, on the flusher's thread.
pub type FlushProbe = Arc<dyn Fn(FlushStage) + Send + Sync>;

/// The probe of a store, if it has one.
#[derive(Default)]
pub(crate) struct FlushProbes(Option<FlushProbe>);

impl std::fmt::Debug for FlushProbes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("FlushProbes").field(&self.0.is_some()).finish()
    }
}

impl Store {
    fn at(&self, stage: FlushStage) {
        let probe = self.probe.lock().0.clone();
        if let Some(probe) = probe {
            probe(stage);
        }
    }

    /// From now on calls `probe` at each stage of each flush. For tests.
    pub fn probe_flushes(&self, probe: Option<FlushProbe>) {
        self.probe.lock().0 = probe;
    }

    fn write_out(&self, frozen: &StoreDelta) -> Result<()> {
        let Some(at) = frozen.frozen_at() else {
            return Err(Error::internal("a delta was flushed that nobody froze"));
        };
        self.at(FlushStage::Frozen);
        if !planted(PlantedFault::JournalNotFlushed) {
            self.journal.flush_to(at.seq)?;
        }
        self.write_events(frozen)?;
        self.at(FlushStage::EventsWritten);
        self.go_on()?;
        let collections = at.collections.iter();
        let dropped = collections.clone().filter(|collection| collection.dropped_seq != 0).map(|dropped| dropped.id);
        let catalog: Vec<_> = collections.filter(|collection| !at.is_fleeting(collection)).cloned().collect();
        let batch = Batch {
            delta: frozen,
            meta: MetaRecord {
                store_id: self.identity.id,
                applied_seq: at.seq,
                position: at.position,
                next_event_id: at.next_event_id,
                oldest_event_id: at.oldest_event_id,
                sealed_event_id: at.sealed_event_id,
                last_timestamp_ms: at.last_timestamp_ms,
                next_collection_id: at.next_collection_id,
                schema_version: 0,
                created_at_ms: self.identity.created_at_ms,
                updated_at_ms: at.last_timestamp_ms,
                epoch: at.epoch,
                event_codec: at.event_codec.clone(),
            },
            dropped: dropped.collect::<HashSet<_>>(),
            catalog,
        };
        self.checkpoint.write(&batch, &|part| self.at(FlushStage::StateWritten(part)))?;
        // What the caller publishes acknowledges commits, which must not happen after a failure elsewhere (I5).
        self.go_on()
    }

    fn go_on(&self) -> Result<()> {
        if planted(PlantedFault::PublishedAfterFailure) {
            return Ok(());
        }
        self.failure().map_or(Ok(()), Err)
    }

    /// Appends the events that the log does not have yet: an attempt that ran out of space may have left whole frames.
    fn write_events(&self, frozen: &StoreDelta) -> Result<()> {
        self.log.set_wall_ms(self.clock.wall_ms());
        let next = self.log.next_event_id();
        let frames = frozen.events().frames_from(next);
        if !frames.is_empty() {
            let mut events = frames.iter().flat_map(|frame| {
                let skip = usize::try_from(next.saturating_sub(frame.first_event_id())).unwrap_or(usize::MAX);
                frame.events().skip(skip).map(|range| EventIn {
                    timestamp_ms: frame.timestamp_ms(),
                    bytes: frame.bytes().get(range).unwrap_or_default(),
                })
            });
            if let Err(error) = self.log.append(&mut events, next) {
                let error = Error::from(error);
                if error.can_heal() {
                    self.log.restore_end()?;
                }
                return Err(error);
            }
        }
        if planted(PlantedFault::EventsNotFlushed) {
            return Ok(());
        }
        self.log.sync().map_err(|error| match Error::from(error) {
            // A failed flush is never repeated, whatever its code (I5).
            error if error.can_heal() => Error::Poisoned(Arc::new(error)),
            other => other,
        })
    }

    /// Clears a part of what dropped collections have left in the checkpoint, and forgets those of which nothing is left.
    fn purge_slice(&self) -> Result<bool> {
        let flushed = self.coordinator.flushed_seq();
        let mut purged = self.purged.lock();
        if self.catalog.with(|catalog| catalog.first_dropped().is_some_and(|first| first <= purged.upto)) {
            self.forget_purged(purged.upto);
        }
        while let Some(next) = self.catalog.with(|catalog| catalog.next_dropped(purged.upto, flushed)) {
            if !purged.fleeting.remove(&next) {
                if !self.checkpoint.purge(next.1)? {
                    purged.upto = next;
                }
                return Ok(true);
            }
            purged.upto = next;
        }
        Ok(false)
    }

    /// A reader whose point in time is in a collection's lifetime still looks it up by its name.
    fn forget_purged(&self, purged: DropOrder) {
        let _commit = self.commit.lock();
        let oldest_seq = self.readers.oldest_seq();
        self.catalog.change(|catalog| catalog.forget_purged(purged, oldest_seq));
    }

    fn classify(&self, error: Error) -> FlushFailure<Error> {
        let passing =
            matches!(error, Error::Limit { .. } | Error::Backpressure { .. }) || self.checkpoint.can_retry(&error);
        if !passing {
            return FlushFailure::Fatal(error);
        }
        self.listeners.advanced();
        FlushFailure::Retry(error)
    }
}

impl Flusher<StoreDelta> for Store {
    type Error = Error;

    fn freeze(&self, swap: &mut dyn FnMut(Arc<StoreDelta>) -> Arc<StoreDelta>) {
        let fresh = StoreDelta::new(0, self.settings.flush_bytes);
        let mut state = self.commit.lock();
        let fresh = Arc::new(fresh.beginning_at(state.next_event_id));
        let (collections, next_collection_id) =
            self.catalog.change(|catalog| (catalog.take_changed(), catalog.next_id));
        let frozen_at = FrozenAt {
            seq: state.last_seq,
            position: state.position,
            next_event_id: state.next_event_id,
            oldest_event_id: state.oldest_event_id,
            sealed_event_id: state.sealed_event_id,
            last_timestamp_ms: state.last_timestamp_ms,
            collections,
            next_collection_id,
            begun_seq: self.coordinator.flushed_seq().max(self.unfinished_seq),
            event_codec: self.stored_event_codec.get().cloned().unwrap_or_default(),
            epoch: self.coordinator.view().epoch,
        };
        state.active = Arc::clone(&fresh);
        swap(fresh).freeze(frozen_at);
    }

    fn flush(&self, frozen: &Arc<StoreDelta>) -> std::result::Result<(), FlushFailure<Error>> {
        self.at(FlushStage::Begun);
        let work = self.go_on().and_then(|()| self.retain()).and_then(|()| self.write_out(frozen));
        work.map_err(|error| self.classify(error))
    }

    fn published(&self, frozen: Arc<StoreDelta>) {
        self.caches.take_back(self.coordinator.version());
        let seq = if planted(PlantedFault::RecycledTooEarly) { self.applied_seq() } else { frozen.last_seq() };
        let report = FlushReport {
            seq: frozen.last_seq(),
            epoch: frozen.frozen_at().map_or(0, |at| at.epoch),
            entries: frozen.entries(),
            bytes: frozen.bytes(),
            took: self.coordinator.runs().1,
        };
        if let Some(at) = frozen.frozen_at() {
            self.flushed_events.fetch_max(at.next_event_id, Ordering::AcqRel);
            let fleeting = at.collections.iter().filter(|collection| at.is_fleeting(collection));
            self.purged.lock().fleeting.extend(fleeting.map(|collection| (collection.dropped_seq, collection.id)));
            // A failure poisons, so callers that wait get it.
            let _ = self.free_trimmed(at.oldest_event_id);
        }
        drop(frozen);
        match self.journal.recycle(seq) {
            Ok(()) => {}
            // A fatal failure has poisoned the store. After any other (no space for a name, no handle) the file stays, and the
            // next opening finds it.
            Err(_) => self.journal.announce_poison(),
        }
        self.log.reclaim();
        // Crowding depends on what is still held; a caller that is notified below reads it at once.
        self.coordinator.pinned_bytes();
        self.at(FlushStage::Published);
        self.listeners.flushed(&report);
        self.listeners.advanced();
    }

    fn chore(&self) -> std::result::Result<bool, FlushFailure<Error>> {
        if self.closing.load(Ordering::Acquire) {
            return Ok(false);
        }
        let work = self.go_on().and_then(|()| self.retain_when_due()).and_then(|()| self.purge_slice());
        work.map_err(|error| self.classify(error))
    }

    /// Events age also while nothing is written.
    fn rest(&self) -> Option<Duration> {
        self.settings.retention.max_age_ms.map(looks_each)
    }

    fn failed(&self, why: Option<Error>, what: &str) -> Error {
        self.stop_writing_for(why.unwrap_or_else(|| Error::Io(io_error(what))))
    }
}

/// How often an idle store applies retention by age.
fn looks_each(max_age_ms: u64) -> Duration {
    Duration::from_millis(max_age_ms / 10).clamp(Duration::from_secs(1), Duration::from_secs(60))
}

impl Store {
    fn retain_when_due(&self) -> Result<()> {
        let Some(max_age_ms) = self.settings.retention.max_age_ms else { return Ok(()) };
        let now = self.clock.monotonic();
        {
            let mut due = self.retention_due.lock();
            if now < *due {
                return Ok(());
            }
            *due = now.saturating_add(looks_each(max_age_ms));
        }
        self.retain()
    }

    /// Stops writing because a part of the store has failed.
    pub(crate) fn stop_writing_for(&self, why: Error) -> Error {
        // A part that has poisoned itself reports the cause; the store as a whole may not know of it yet.
        let cause = match why.cause().cloned().unwrap_or(why) {
            Error::Io(error) | Error::NoSpace(error) => ledgerstone_journal::Error::Io(error),
            Error::Corrupt { file, offset, what } => ledgerstone_journal::Error::Corrupt { file, offset, what },
            other => ledgerstone_journal::Error::Io(io_error(&other.to_string())),
        };
        self.stop_writing(cause)
    }
}

fn io_error(what: &str) -> ledgerstone_vfs::FileError {
    ledgerstone_vfs::FileError::new("flush", "", std::io::Error::other(what.to_owned()))
}
