//! What the engine has done, for an environment that listens to the diagnostics channels. Without listeners nothing is kept. While
//! JavaScript does not look, what goes beyond a bound is summed up, so that no commit is missing.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicBool, Ordering},
};

use ledgerstone_canonical_store::{FlushReport, WrittenGroup};
use parking_lot::Mutex;

/// How many of a kind wait for JavaScript one by one.
const MOST_WAITING: usize = 1_024;

/// What has happened since the last look, in order within each kind; with each, how many are summed up in it.
#[derive(Debug, Default)]
pub(crate) struct Happenings {
    pub(crate) groups: VecDeque<(u64, WrittenGroup)>,
    pub(crate) flushes: VecDeque<(u64, FlushReport)>,
}

/// One environment's listening to one store.
#[derive(Debug, Default)]
pub(crate) struct Observation {
    active: AtomicBool,
    waiting: Mutex<Happenings>,
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

    pub(crate) fn take(&self) -> Happenings {
        std::mem::take(&mut *self.waiting.lock())
    }
}

#[cfg(test)]
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
        let commits: u64 = taken.groups.iter().map(|(_, group)| group.commits).sum();
        let entries: u64 = taken.flushes.iter().map(|(_, flush)| flush.entries).sum();
        assert_eq!((commits, entries), (count, 2 * count));
        let (summed, last) = taken.groups.back().unwrap();
        assert_eq!((*summed, last.last_seq, last.flush, last.is_durable), (11, count, Duration::from_micros(11), true));
        assert!(observation.take().groups.is_empty());
    }
}
