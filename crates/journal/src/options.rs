//! The options of a journal.

use std::ops::RangeInclusive;

use ledgerstone_format::{PAGE_BYTES, align_up};

/// Sizes, in bytes. They do not change the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalOptions {
    /// The size of the first file. A later one is as large as all files in use together, within these two bounds.
    pub first_file_bytes: u64,
    /// The size at which files stop growing. Only a frame that does not fit makes a larger one.
    pub max_file_bytes: u64,
    /// This many pending bytes wake the journal thread even when no caller waits.
    pub group_wake_bytes: u64,
    /// This many bytes of journal are kept beyond what recovery needs.
    pub keep_bytes: u64,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self { first_file_bytes: 1 << 20, max_file_bytes: 64 << 20, group_wake_bytes: 256 << 10, keep_bytes: 0 }
    }
}

impl JournalOptions {
    /// The size of the next file when those in use have `used_bytes` together.
    pub(crate) fn next_file_bytes(&self, used_bytes: u64) -> u64 {
        used_bytes.min(self.max_file_bytes).max(self.first_file_bytes)
    }

    /// The room that a commit leaves in a file for frames that free space: a few pages, and less in a small file.
    pub(crate) fn left_room_bytes(&self) -> u64 {
        (8 * PAGE_BYTES).min(self.first_file_bytes / 32)
    }

    /// The sizes worth keeping as spares: neither a file made for one huge frame, nor a small one made on a full device.
    pub(crate) fn spare_sizes(&self) -> RangeInclusive<u64> {
        let least = self.first_file_bytes.max(2 * PAGE_BYTES);
        least..=align_up(self.max_file_bytes.max(self.first_file_bytes), PAGE_BYTES)
    }
}
