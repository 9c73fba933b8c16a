//! What the engine has done, for an environment where somebody listens to the diagnostics channels. Nothing is kept while
//! nobody listens; while JavaScript does not look, what goes beyond a bound is summed up, so that no commit is missing.

#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicBool, Ordering},
};

use ledgerstone_canonical_store::{FlushReport, WrittenGroup};
use napi_derive::napi;
use parking_lot::Mutex;

use crate::number::number;

/// So many of a kind wait for JavaScript one by one.
const MOST_WAITING: usize = 1_024;

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

/// One environment's listening to one store.
#[derive(Debug, Default)]
pub(crate) struct Observation {
    active: AtomicBool,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    groups: VecDeque<(u64, WrittenGroup)>,
    flushes: VecDeque<(u64, FlushReport)>,
}

/// Appends, or adds to the last when too many wait.
fn append<T>(queue: &mut VecDeque<(u64, T)>, what: T, add: impl FnOnce(&mut T, T)) {
    if queue.len() >= MOST_WAITING
        && let Some((count, last)) = queue.back_mut()
    {
        *count += 1;
        add(last, what);
    } else {
        queue.push_back((1, what));
    }
}

impl Observation {
    pub(crate) fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    /// Begins or ends it; whether that is a change. What waits is kept until it is taken.
    pub(crate) fn set(&self, active: bool) -> bool {
        self.active.swap(active, Ordering::AcqRel) != active
    }

    pub(crate) fn group(&self, group: &WrittenGroup) {
        append(&mut self.waiting.lock().groups, *group, |sum, next| {
            *sum = WrittenGroup {
                last_seq: next.last_seq,
                commits: sum.commits + next.commits,
                bytes: sum.bytes + next.bytes,
                flush: sum.flush + next.flush,
                is_durable: next.is_durable,
            };
        });
    }

    pub(crate) fn flush(&self, flush: &FlushReport) {
        append(&mut self.waiting.lock().flushes, *flush, |sum, next| {
            *sum = FlushReport {
                seq: next.seq,
                epoch: next.epoch,
                entries: sum.entries + next.entries,
                bytes: sum.bytes + next.bytes,
                took: sum.took + next.took,
            };
        });
    }

    pub(crate) fn take(&self) -> NativeHappenings {
        let Waiting { groups, flushes } = std::mem::take(&mut *self.waiting.lock());
        NativeHappenings {
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

#[cfg(test)]
#[allow(clippy::float_cmp, clippy::cast_precision_loss, reason = "small whole numbers")]
mod tests {
    use std::time::Duration;

    use ledgerstone_canonical_store::{FlushReport, WrittenGroup};

    use super::{MOST_WAITING, Observation};

    #[test]
    fn what_goes_beyond_the_bound_is_summed_up_and_nothing_is_missing() {
        let observation = Observation::default();
        let count = MOST_WAITING as u64 + 10;
        for last_seq in 1..=count {
            let flush = Duration::from_micros(1);
            observation.group(&WrittenGroup {
                last_seq,
                commits: 1,
                bytes: 4_096,
                flush,
                is_durable: last_seq == count,
            });
            observation.flush(&FlushReport {
                seq: last_seq,
                epoch: last_seq,
                entries: 2,
                bytes: 10,
                took: Duration::ZERO,
            });
        }
        let taken = observation.take();
        assert_eq!((taken.groups.len(), taken.flushes.len()), (MOST_WAITING, MOST_WAITING));
        let commits: f64 = taken.groups.iter().map(|group| group.commits).sum();
        let entries: f64 = taken.flushes.iter().map(|flush| flush.entries).sum();
        assert_eq!((commits, entries), (count as f64, 2.0 * count as f64));
        let last = taken.groups.last().unwrap();
        assert_eq!((last.groups, last.seq, last.flush_micros, last.durable), (11.0, count as f64, 11.0, true));
        assert!(observation.take().groups.is_empty());
    }
}
