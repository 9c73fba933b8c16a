//! What the engine has done, as plain objects.

#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use ledgerstone_canonical_store::{FlushReport, WrittenGroup};
use napi_derive::napi;

use crate::{environment::store::observation::Happenings, number::number};

/// Groups of commits that were written together.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeGroup {
    /// The last seq.
    pub seq: f64,
    /// How many groups are summed up here: 1, unless JavaScript did not look for long.
    pub groups: f64,
    pub commits: f64,
    pub bytes: f64,
    pub flush_micros: f64,
    pub durable: bool,
}

/// Flushes to LMDB and the event log.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeFlush {
    /// The last seq.
    pub seq: f64,
    /// How many flushes are summed up here.
    pub flushes: f64,
    pub epoch: f64,
    pub entries: f64,
    pub bytes: f64,
    pub duration_ms: f64,
}

/// What has happened since the last look, in order within each kind.
#[napi(object)]
#[derive(Default)]
#[allow(missing_docs, reason = "described by their types")]
pub struct NativeHappenings {
    pub groups: Vec<NativeGroup>,
    pub flushes: Vec<NativeFlush>,
}

impl From<Happenings> for NativeHappenings {
    fn from(happenings: Happenings) -> Self {
        let Happenings { groups, flushes } = happenings;
        Self {
            groups: groups.into_iter().map(native_group).collect(),
            flushes: flushes.into_iter().map(native_flush).collect(),
        }
    }
}

fn native_group((groups, group): (u64, WrittenGroup)) -> NativeGroup {
    NativeGroup {
        seq: number(group.last_seq),
        groups: number(groups),
        commits: number(group.commits),
        bytes: number(group.bytes),
        flush_micros: number(u64::try_from(group.flush.as_micros()).unwrap_or(u64::MAX)),
        durable: group.is_durable,
    }
}

fn native_flush((flushes, flush): (u64, FlushReport)) -> NativeFlush {
    NativeFlush {
        seq: number(flush.seq),
        flushes: number(flushes),
        epoch: number(flush.epoch),
        entries: number(flush.entries),
        bytes: number(flush.bytes),
        duration_ms: flush.took.as_secs_f64() * 1_000.0,
    }
}
