//! The keys that a commit is about to add. Their places in the filter and the table, and their earlier entries in the delta,
//! are seldom in the processor's cache; waiting for that was most of the cost of adding them. They are prefetched in two steps
//! while the commit's frame is being made.

use super::{StoreDelta, hash_parts};

/// How many keys are prefetched. A larger commit prefetches the others while it adds them.
pub(super) const AHEAD: usize = 8;

/// The hashes of the first keys of a commit.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    hashes: [u64; AHEAD],
    len: usize,
}

impl Expected {
    /// Adds a key of the commit.
    pub(crate) fn note(&mut self, collection: u32, key: &[u8]) {
        if let Some(hash) = self.hashes.get_mut(self.len) {
            *hash = hash_parts(collection, key);
            self.len += 1;
        }
    }

    fn hashes(&self) -> &[u64] {
        self.hashes.get(..self.len).unwrap_or_default()
    }

    /// The first step, before the frame is laid out.
    pub(crate) fn places_in(&self, delta: &StoreDelta) {
        delta.expect(self.hashes());
    }

    /// The second step, after that.
    pub(crate) fn entries_in(&self, delta: &StoreDelta) {
        delta.expect_entries(self.hashes());
    }
}
