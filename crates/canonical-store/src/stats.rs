//! The figures of the store.

use std::time::Duration;

use ledgerstone_lock_manager::LockStats;
use ledgerstone_write_coordinator::Delta as _;

use crate::{FORMAT_VERSION, Marks, Store};

/// What recovery found at opening.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Number of the delta generation that recovery began.
    pub epoch: u64,
    /// Frames replayed from the journal.
    pub frames: u64,
    /// Bytes of torn tails that were cut, in the journal and the log.
    pub bytes_cut: u64,
}

/// The report of a flush.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlushReport {
    /// The last commit that it flushed.
    pub seq: u64,
    /// Number of the delta generation that it wrote.
    pub epoch: u64,
    /// Keys and events of that generation; each version of a key counts.
    pub entries: u64,
    /// The memory that they took, in bytes.
    pub bytes: u64,
    /// How long it took.
    pub took: Duration,
}

/// The description of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Its identity, a UUID.
    pub store_id: String,
    /// The format of its files.
    pub format_version: u16,
    /// The application's schema version.
    pub schema_version: u32,
    /// In milliseconds since the epoch.
    pub created_at_ms: u64,
    /// The time of the newest commit, or of the creation without commits. In milliseconds since the epoch.
    pub updated_at_ms: u64,
    /// The id that the next event will get.
    pub next_event_id: u64,
    /// The newest event when the store was sealed, 0 for none.
    pub sealed_event_id: Option<u64>,
}

/// Current counts and sizes. Sizes are in bytes.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each field is named as in the public API, where it is described")]
pub struct Stats {
    pub marks: Marks,
    pub event_count: u64,
    pub oldest_event_id: u64,
    pub next_event_id: u64,
    pub event_bytes: u64,
    pub event_segments: u64,
    pub event_lead_ms: u64,
    pub state_bytes: u64,
    pub map_bytes: u64,
    pub delta_bytes: u64,
    pub delta_entries: u64,
    pub journal: ledgerstone_journal::JournalStats,
    pub flush_runs: u64,
    pub last_flush_ms: f64,
    pub snapshots: u64,
    pub oldest_reader_ms: u64,
    pub pinned_bytes: u64,
    pub locks: LockStats,
    pub recovery: RecoveryReport,
}

impl Store {
    /// Its description.
    pub fn meta(&self) -> Meta {
        let (last_timestamp_ms, next_event_id) = {
            let state = self.commit.lock();
            (state.last_timestamp_ms, state.next_event_id)
        };
        Meta {
            store_id: self.identity.id.to_string(),
            format_version: FORMAT_VERSION,
            schema_version: 0,
            created_at_ms: self.identity.created_at_ms,
            updated_at_ms: last_timestamp_ms.max(self.identity.created_at_ms),
            next_event_id,
            sealed_event_id: self.sealed(),
        }
    }

    /// Its figures.
    pub fn stats(&self) -> Stats {
        let log = self.log.stats();
        // Read before the view: a delta that is flushed in between must not be counted twice.
        let pinned_bytes = self.coordinator.pinned_bytes();
        let view = self.coordinator.view();
        let deltas: Vec<_> = [Some(&view.active), view.frozen.as_ref()].into_iter().flatten().collect();
        let size = self.checkpoint.size();
        let (flush_runs, last_flush) = self.coordinator.runs();
        let (snapshots, oldest) = self.readers.open();
        let age = oldest.map_or(0, |since| self.clock.monotonic().saturating_sub(since).as_millis());
        let (oldest_event_id, next_event_id) = (self.oldest_event_id(), self.next_event_id());
        Stats {
            marks: self.marks(),
            event_count: next_event_id - oldest_event_id.min(next_event_id),
            oldest_event_id,
            next_event_id,
            event_bytes: log.bytes,
            event_segments: log.segments,
            event_lead_ms: self.commit.lock().last_timestamp_ms.saturating_sub(self.clock.wall_ms()),
            state_bytes: size.used,
            map_bytes: size.mapped,
            delta_bytes: deltas.iter().map(|delta| delta.bytes()).sum(),
            delta_entries: deltas.iter().map(|delta| delta.entries()).sum(),
            journal: self.journal.stats(),
            flush_runs,
            last_flush_ms: last_flush.as_secs_f64() * 1_000.0,
            snapshots,
            oldest_reader_ms: u64::try_from(age).unwrap_or(u64::MAX),
            pinned_bytes,
            locks: self.locks.stats(),
            recovery: self.recovery,
        }
    }
}
