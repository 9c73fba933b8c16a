//! The keys that a commit is about to add. Where they belong in the filter and the table, and what the delta has of them already,
//! is seldom in the processor's cache, and waiting for that was most of what adding them cost: it is asked for in two steps while the
//! commit's frame is being made.

use super::{StoreDelta, hash_parts};

/// So many keys ahead. A commit of more asks for the others as it adds them.
pub(super) const AHEAD: usize = 8;

/// The first keys of a commit, by their hashes.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    hashes: [u64; AHEAD],
    len: usize,
}

impl Expected {
    /// The commit has this key, too.
    pub(crate) fn note(&mut self, collection: u32, key: &[u8]) {
        if let Some(hash) = self.hashes.get_mut(self.len) {
            *hash = hash_parts(collection, key);
            self.len += 1;
        }
    }

    fn hashes(&self) -> &[u64] {
        self.hashes.get(..self.len).unwrap_or_default()
    }

    /// The first step: before the frame is laid out.
    pub(crate) fn places_in(&self, delta: &StoreDelta) {
        delta.expect(self.hashes());
    }

    /// The second: when it is.
    pub(crate) fn entries_in(&self, delta: &StoreDelta) {
        delta.expect_entries(self.hashes());
    }
}
