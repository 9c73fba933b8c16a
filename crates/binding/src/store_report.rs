//! What a store tells of itself, as plain objects: the fields of `StoreMeta` and `StoreStats` that native code knows.

#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use ledgerstone_canonical_store::{Meta, Stats};
use napi_derive::napi;

use crate::binding_store::number;

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
        }
    }
}

macro_rules! report {
    ($(#[doc = $doc:literal] $name:ident { $($field:ident: $type:ty),* $(,)? })*) => {
        $(
            #[doc = $doc]
            #[napi(object)]
            #[allow(missing_docs, reason = "each field is described in the public API")]
            pub struct $name { $(pub $field: $type),* }
        )*
    };
}

report! {
    /// How far the store has come, by seq.
    NativeLevels { applied: f64, written: f64, durable: f64, flushed: f64 }
    /// The event log.
    NativeEventStats { count: f64, oldest: f64, next: f64, bytes: f64, segments: f64 }
    /// LMDB.
    NativeStateStats { bytes: f64, map_bytes: f64 }
    /// What is not yet flushed.
    NativeDeltaStats { bytes: f64, entries: f64 }
    /// The journal; histograms by powers of two.
    NativeJournalStats {
        files: f64, bytes: f64, groups: f64, flushes: f64, preparation_flushes: f64, bytes_written: f64,
        group_sizes: Vec<f64>, flush_micros: Vec<f64>,
    }
    /// The flusher.
    NativeFlusherStats { runs: f64, last_ms: f64 }
    /// What is held open for reading.
    NativeReaderStats { snapshots: f64, oldest_ms: f64, bytes: f64 }
    /// What the last opening found.
    NativeRecovery { epoch: f64, frames: f64, bytes_cut: f64 }
    /// Counts and sizes in bytes, as of now.
    NativeStats {
        levels: NativeLevels, events: NativeEventStats, state: NativeStateStats, delta: NativeDeltaStats,
        journal: NativeJournalStats, flusher: NativeFlusherStats, readers: NativeReaderStats, recovery: NativeRecovery,
    }
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
            recovery: NativeRecovery {
                epoch: number(recovery.epoch),
                frames: number(recovery.frames),
                bytes_cut: number(recovery.bytes_cut),
            },
        }
    }
}
