//! When a delta is flushed, and how much may wait.

use std::time::Duration;

/// Thresholds of a coordinator.
#[derive(Clone, Copy, Debug)]
pub struct Pacing {
    /// An active delta of this size is flushed at once, in bytes.
    pub flush_bytes: u64,
    /// An active delta is flushed at this age at the latest.
    pub flush_interval: Duration,
}

impl Pacing {
    /// Up to here writers are let in as they come: active and frozen delta together, in bytes. Beyond it they are let in as
    /// the flusher drains.
    pub const fn paced_from_bytes(&self) -> u64 {
        self.flush_bytes.saturating_add(self.flush_bytes / 4)
    }

    /// Beyond this nobody is let in: active and frozen delta together, in bytes.
    pub const fn pending_bound_bytes(&self) -> u64 {
        self.flush_bytes.saturating_mul(2)
    }

    /// The same with the flushed deltas that snapshots and iterators still hold. Twice as high, so that one long reader, which
    /// holds two generations at the most, never stops the writers by itself.
    pub const fn total_bound_bytes(&self) -> u64 {
        self.flush_bytes.saturating_mul(4)
    }

    /// Paced writers are let in as often as this. `PACE_MS` in JavaScript.
    pub const SLICE: Duration = Duration::from_millis(4);

    /// How long a flush is waited for that finds no room. `STALL_MS` in JavaScript.
    pub const PATIENCE: Duration = Duration::from_secs(30);

    /// How long the flusher leaves a full device alone before it tries again.
    pub const RETRY: Duration = Duration::from_millis(100);
}
