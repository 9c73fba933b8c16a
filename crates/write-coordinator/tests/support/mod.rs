//! A delta that only counts.

use std::sync::atomic::{AtomicU64, Ordering};

use ledgerstone_write_coordinator::Delta;

#[derive(Debug, Default)]
pub(crate) struct Counted {
    pub(crate) bytes: AtomicU64,
    pub(crate) last_seq: AtomicU64,
}

impl Delta for Counted {
    fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Acquire)
    }

    fn last_seq(&self) -> u64 {
        self.last_seq.load(Ordering::Acquire)
    }
}
