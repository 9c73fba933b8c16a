//! The log in numbers: exact at any time, also right after a crash, and O(1).

/// What an event log holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventLogStats {
    /// Events that can be read.
    pub count: u64,
    /// Bytes of all segment files, headers, padding, indexes and footers included.
    pub bytes: u64,
    /// Segment files.
    pub segments: u64,
}
