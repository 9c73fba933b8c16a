//! When a delta is flushed, and how much may be pending.

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
    /// Up to here writers enter freely: active and frozen delta together, in bytes. Beyond it they enter at the rate at which
    /// the flusher drains.
    pub const fn paced_from_bytes(&self) -> u64 {
        self.flush_bytes.saturating_add(self.flush_bytes / 4)
    }

    /// Beyond this no writer enters: active and frozen delta together, in bytes.
    pub const fn pending_bound_bytes(&self) -> u64 {
        self.flush_bytes.saturating_mul(2)
    }

    /// The same bound including the flushed deltas that snapshots and iterators still hold. Twice as high, so that one long
    /// reader, which holds at most two generations, never stops the writers alone.
    pub const fn total_bound_bytes(&self) -> u64 {
        self.flush_bytes.saturating_mul(4)
    }

    /// Paced writers ask again this often. `PACE_MS` in JavaScript.
    pub const SLICE: Duration = Duration::from_millis(4);

    /// How long callers wait for a flush that finds no room. `STALL_MS` in JavaScript.
    pub const PATIENCE: Duration = Duration::from_secs(30);

    /// How long the flusher waits on a full device before it tries again.
    pub const RETRY: Duration = Duration::from_millis(100);
}
