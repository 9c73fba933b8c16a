//! The journal's statistics.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Buckets of a histogram: bucket n counts values of n significant bits (0, 1, 2 to 3, 4 to 7, ...).
pub const HISTOGRAM_BUCKETS: usize = 32;

/// If flushes are faster than this, a caller may wait for one on its own thread.
const FAST_FLUSH: Duration = Duration::from_micros(200);
/// No flush has been measured yet.
const UNKNOWN: u64 = u64::MAX;

/// The current figures; counts are since opening.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalStats {
    /// Files in use.
    pub files: u64,
    /// Spare files.
    pub spares: u64,
    /// Their total size in bytes.
    pub bytes: u64,
    /// Groups written.
    pub groups: u64,
    /// Flushes for commits, and of files that were completed.
    pub flushes: u64,
    /// Flushes to prepare spares, of files and of the folder.
    pub preparation_flushes: u64,
    /// Bytes written for commits: headers, frames and the padding of pages.
    pub bytes_written: u64,
    /// Bytes of zeros written to prepare spares.
    pub preparation_bytes: u64,
    /// Commits per group, by powers of two.
    pub group_sizes: [u64; HISTOGRAM_BUCKETS],
    /// Microseconds per flush, by powers of two.
    pub flush_micros: [u64; HISTOGRAM_BUCKETS],
}

#[derive(Debug)]
pub(crate) struct Counters {
    groups: AtomicU64,
    flushes: AtomicU64,
    bytes_written: AtomicU64,
    group_sizes: [AtomicU64; HISTOGRAM_BUCKETS],
    flush_micros: [AtomicU64; HISTOGRAM_BUCKETS],
    mean_flush_nanos: AtomicU64,
}

fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

fn record(histogram: &[AtomicU64; HISTOGRAM_BUCKETS], value: u64) {
    let bucket = (u64::BITS - value.leading_zeros()) as usize;
    if let Some(counter) = histogram.get(bucket.min(HISTOGRAM_BUCKETS - 1)) {
        add(counter, 1);
    }
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self {
            groups: AtomicU64::new(0),
            flushes: AtomicU64::new(0),
            bytes_written: AtomicU64::new(0),
            group_sizes: Default::default(),
            flush_micros: Default::default(),
            mean_flush_nanos: AtomicU64::new(UNKNOWN),
        }
    }

    pub(crate) fn group(&self, frames: u64) {
        add(&self.groups, 1);
        record(&self.group_sizes, frames);
    }

    pub(crate) fn wrote(&self, bytes: u64) {
        add(&self.bytes_written, bytes);
    }

    /// Called under the I/O mutex only.
    pub(crate) fn flushed(&self, took: Duration) {
        add(&self.flushes, 1);
        record(&self.flush_micros, u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX) / 8;
        let mean = match self.mean_flush_nanos.load(Ordering::Relaxed) {
            UNKNOWN => nanos.saturating_mul(8),
            mean => mean - mean / 8 + nanos,
        };
        self.mean_flush_nanos.store(mean.min(UNKNOWN - 1), Ordering::Relaxed);
    }

    pub(crate) fn flush_is_fast(&self) -> bool {
        let nanos = self.mean_flush_nanos.load(Ordering::Relaxed);
        nanos != UNKNOWN && Duration::from_nanos(nanos) < FAST_FLUSH
    }

    pub(crate) fn fill(&self, stats: &mut JournalStats) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        stats.groups = read(&self.groups);
        stats.flushes = read(&self.flushes);
        stats.bytes_written = read(&self.bytes_written);
        stats.group_sizes = self.group_sizes.each_ref().map(read);
        stats.flush_micros = self.flush_micros.each_ref().map(read);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Counters, JournalStats};

    #[test]
    fn values_are_counted_by_their_power_of_two() {
        let counters = Counters::new();
        for size in [1, 2, 3, 4, 256] {
            counters.group(size);
        }
        let mut stats = JournalStats::default();
        counters.fill(&mut stats);
        assert_eq!(stats.groups, 5);
        assert_eq!(
            (stats.group_sizes[1], stats.group_sizes[2], stats.group_sizes[3], stats.group_sizes[9]),
            (1, 2, 1, 1)
        );
        counters.group(u64::MAX);
        counters.fill(&mut stats);
        assert_eq!(stats.group_sizes[31], 1);
    }

    #[test]
    fn a_device_is_fast_only_once_it_has_shown_it() {
        let counters = Counters::new();
        assert!(!counters.flush_is_fast());
        counters.flushed(Duration::from_micros(75));
        assert!(counters.flush_is_fast());
        for _ in 0..32 {
            counters.flushed(Duration::from_millis(8));
        }
        assert!(!counters.flush_is_fast());
        for _ in 0..64 {
            counters.flushed(Duration::from_micros(75));
        }
        assert!(counters.flush_is_fast());
    }
}
