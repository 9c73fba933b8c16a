//! A store's identity and its figures, as plain objects: the fields of `StoreMeta` and `StoreStats` that native code knows.

#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use ledgerstone_canonical_store::{Meta, Stats};
use ledgerstone_lock_manager::LockStats;
use napi_derive::napi;

use crate::number::number;

/// Identity, versions and times (milliseconds since the epoch).
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeMeta {
    pub store_id: String,
    pub format_version: u32,
    pub schema_version: u32,
    pub created_at: f64,
    pub updated_at: f64,
    pub next_event_id: f64,
    pub sealed_event_id: Option<f64>,
}

impl From<Meta> for NativeMeta {
    fn from(meta: Meta) -> Self {
        Self {
            store_id: meta.store_id,
            format_version: u32::from(meta.format_version),
            schema_version: meta.schema_version,
            created_at: number(meta.created_at_ms),
            updated_at: number(meta.updated_at_ms),
            next_event_id: number(meta.next_event_id),
            sealed_event_id: meta.sealed_event_id.map(number),
        }
    }
}

/// How far the store has come, by seq.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeLevels {
    pub applied: f64,
    pub written: f64,
    pub durable: f64,
    pub flushed: f64,
}

/// The event log.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeEventStats {
    pub count: f64,
    pub oldest: f64,
    pub next: f64,
    pub bytes: f64,
    pub segments: f64,
    pub lead_ms: f64,
}

/// LMDB.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeStateStats {
    pub bytes: f64,
    pub map_bytes: f64,
}

/// What is not yet flushed.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeDeltaStats {
    pub bytes: f64,
    pub entries: f64,
}

/// The journal; histograms by powers of two.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeJournalStats {
    pub files: f64,
    pub bytes: f64,
    pub groups: f64,
    pub flushes: f64,
    pub preparation_flushes: f64,
    pub bytes_written: f64,
    pub group_sizes: Vec<f64>,
    pub flush_micros: Vec<f64>,
}

/// The flusher.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeFlusherStats {
    pub runs: f64,
    pub last_ms: f64,
}

/// What is held open for reading.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeReaderStats {
    pub snapshots: f64,
    pub oldest_ms: f64,
    pub bytes: f64,
}

/// A lock manager; sets are counted, times are in milliseconds.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeLockStats {
    pub stripes: f64,
    pub held: f64,
    pub waiting: f64,
    pub acquired: f64,
    pub contended: f64,
    pub timeouts: f64,
    pub longest_wait_ms: f64,
    pub longest_hold_ms: f64,
}

impl From<LockStats> for NativeLockStats {
    fn from(stats: LockStats) -> Self {
        Self {
            stripes: number(stats.stripes),
            held: number(stats.held),
            waiting: number(stats.waiting),
            acquired: number(stats.acquired),
            contended: number(stats.contended),
            timeouts: number(stats.timeouts),
            longest_wait_ms: stats.longest_wait.as_secs_f64() * 1_000.0,
            longest_hold_ms: stats.longest_hold.as_secs_f64() * 1_000.0,
        }
    }
}

/// What the last opening found.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeRecovery {
    pub epoch: f64,
    pub frames: f64,
    pub bytes_cut: f64,
}

/// Counts and sizes in bytes, as of now.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeStats {
    pub levels: NativeLevels,
    pub events: NativeEventStats,
    pub state: NativeStateStats,
    pub delta: NativeDeltaStats,
    pub journal: NativeJournalStats,
    pub flusher: NativeFlusherStats,
    pub readers: NativeReaderStats,
    pub locks: NativeLockStats,
    pub recovery: NativeRecovery,
}

impl From<Stats> for NativeStats {
    fn from(stats: Stats) -> Self {
        let numbers = |values: &[u64]| values.iter().copied().map(number).collect();
        let (marks, journal, recovery) = (stats.marks, stats.journal, stats.recovery);
        Self {
            levels: NativeLevels {
                applied: number(marks.applied),
                written: number(marks.written),
                durable: number(marks.durable),
                flushed: number(marks.flushed),
            },
            events: NativeEventStats {
                count: number(stats.event_count),
                oldest: number(stats.oldest_event_id),
                next: number(stats.next_event_id),
                bytes: number(stats.event_bytes),
                segments: number(stats.event_segments),
                lead_ms: number(stats.event_lead_ms),
            },
            state: NativeStateStats { bytes: number(stats.state_bytes), map_bytes: number(stats.map_bytes) },
            delta: NativeDeltaStats { bytes: number(stats.delta_bytes), entries: number(stats.delta_entries) },
            journal: NativeJournalStats {
                files: number(journal.files),
                bytes: number(journal.bytes),
                groups: number(journal.groups),
                flushes: number(journal.flushes),
                preparation_flushes: number(journal.preparation_flushes),
                bytes_written: number(journal.bytes_written),
                group_sizes: numbers(&journal.group_sizes),
                flush_micros: numbers(&journal.flush_micros),
            },
            flusher: NativeFlusherStats { runs: number(stats.flush_runs), last_ms: stats.last_flush_ms },
            readers: NativeReaderStats {
                snapshots: number(stats.snapshots),
                oldest_ms: number(stats.oldest_reader_ms),
                bytes: number(stats.pinned_bytes),
            },
            locks: stats.locks.into(),
            recovery: NativeRecovery {
                epoch: number(recovery.epoch),
                frames: number(recovery.frames),
                bytes_cut: number(recovery.bytes_cut),
            },
        }
    }
}
