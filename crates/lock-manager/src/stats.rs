//! A lock manager in figures. They count sets, not stripes: one per token.

use std::time::Duration;

/// Counts and times, as of now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LockStats {
    /// How many stripes there are.
    pub stripes: u64,
    /// Sets that are held.
    pub held: u64,
    /// Sets that are waited for.
    pub waiting: u64,
    /// Sets that have been granted so far.
    pub acquired: u64,
    /// Sets that could not be granted at once.
    pub contended: u64,
    /// Sets that were not granted in time.
    pub timeouts: u64,
    /// The longest finished wait, whatever its outcome.
    pub longest_wait: Duration,
    /// The longest finished hold.
    pub longest_hold: Duration,
}
