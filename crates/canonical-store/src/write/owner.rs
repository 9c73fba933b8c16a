//! The users of the gate: the owners that write, and the pauses that keep them out.

use std::sync::atomic::{AtomicU64, Ordering};

/// An owner: one per environment (thread) that writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner(u64);

impl Owner {
    /// An owner that differs from all others in this process.
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Default for Owner {
    fn default() -> Self {
        Self::new()
    }
}

/// One of the pauses that keep writers out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause(pub(super) u64);

impl Pause {
    /// Its number, unique in the store.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The pause with this number. One that never existed, or has ended, keeps nobody out.
    pub const fn of_number(number: u64) -> Self {
        Self(number)
    }
}
